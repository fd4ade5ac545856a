"""Train the inverter of a corpus (model=inverter) or its classifier (model=svdnet); what they need is made first."""

import logging

from omegaconf import DictConfig

from svdx.app.cli import command
from svdx.app.multirun import in_multirun
from svdx.app.pipeline import Pipeline
from svdx.app.provenance import expect_run, write_config
from svdx.app.run_directory import begin_training, is_trained, run_lock

log = logging.getLogger(__name__)


@command
def main(cfg: DictConfig) -> None:
    pipeline = Pipeline(cfg)
    with run_lock(pipeline.directory):
        if cfg.resume and is_trained(cfg, pipeline.directory):
            log.info(f"{pipeline.directory}: the training has ended, with the same configuration")
            return
        if cfg.resume and not in_multirun():  # a sweep that was killed has jobs that had not begun
            expect_run(pipeline.directory)
        begin_training(cfg, pipeline.directory)
        write_config(pipeline.directory, cfg)
        train = {"svdnet": pipeline.train_classifier, "inverter": pipeline.train_inverter}[cfg.model]
        train(pipeline.directory)
