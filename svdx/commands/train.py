"""Train the inverter of a corpus (model=inverter) or its classifier (model=svdnet)."""

import logging

from omegaconf import DictConfig

from svdx.app.multirun import in_multirun
from svdx.app.pipeline import Pipeline
from svdx.app.provenance import expect_run, write_config
from svdx.app.run_directory import begin_training, is_trained, run_lock
from svdx.app.train import train_classifier, train_inverter

log = logging.getLogger(__name__)


def main(cfg: DictConfig) -> None:
    pipeline = Pipeline(cfg)
    directory = pipeline.directory
    with run_lock(directory):
        if cfg.resume and is_trained(cfg, directory):
            log.info(f"{directory}: the training has ended, with the same configuration")
            return
        if cfg.resume and not in_multirun():  # in an interrupted sweep some jobs have not begun
            expect_run(directory)
        begin_training(cfg, directory)
        write_config(directory, cfg)
        train = train_classifier if cfg.model == "svdnet" else train_inverter
        train(pipeline, directory)
