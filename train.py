"""Train the inverter of a corpus (model=inverter) or its classifier (model=svdnet); what they need is made first."""

import hydra
from omegaconf import DictConfig

from svdx.cli import command
from svdx.pipeline import Pipeline


@hydra.main(version_base="1.3", config_path="conf", config_name="train")
@command
def main(cfg: DictConfig) -> None:
    pipeline = Pipeline(cfg)
    if cfg.model == "classifier":
        pipeline.train_classifier(pipeline.directory)
    else:
        pipeline.train_inverter(pipeline.directory)


if __name__ == "__main__":
    main()
