"""Train the inverter of a corpus (model=inverter) or its classifier (model=svdnet); what they need is made first."""

import sys

import hydra
from omegaconf import DictConfig

from svdx.cli import as_typed, command
from svdx.pipeline import Pipeline
from svdx.provenance import expect_run, write_config
from svdx.results import begin_training, occupied


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
@command
def main(cfg: DictConfig) -> None:
    pipeline = Pipeline(cfg)
    with occupied(pipeline.directory):
        if cfg.resume:
            expect_run(pipeline.directory)
        begin_training(cfg, pipeline.directory)
        write_config(pipeline.directory, cfg)
        train = {"svdnet": pipeline.train_classifier, "inverter": pipeline.train_inverter}[cfg.model]
        train(pipeline.directory)


if __name__ == "__main__":
    sys.argv[1:] = as_typed(sys.argv[1:])
    main()
