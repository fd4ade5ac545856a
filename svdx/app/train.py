"""Train the classifier or the inverter: data, model, callbacks, loggers, trainer, fit, export."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytorch_lightning as pl
from omegaconf import DictConfig

from svdx.app.loggers import finish, make_loggers
from svdx.app.provenance import write_summary
from svdx.app.recipes import is_own_callback, training_callbacks
from svdx.app.settings import build
from svdx.app.trained_networks import CachedNetwork
from svdx.app.trainer import REFUSALS
from svdx.data.datamodule import ExcerptsData
from svdx.errors import CACHE, ConfigError, expect_writable
from svdx.models.inverter import InverterNet
from svdx.models.svdnet import SVDNet
from svdx.models.weights import fingerprint
from svdx.training.checkpoints import Checkpoints, latest_valid_checkpoint

if TYPE_CHECKING:
    from svdx.app.pipeline import Pipeline

log = logging.getLogger(__name__)


def train_classifier(pipeline: Pipeline, directory: Path) -> Path:
    """Train, export and test a classifier. Returns the exported file."""
    pipeline.seed()
    data = pipeline.make_data(pipeline.cfg.classifier.excerpts)
    data.setup("test")  # refuses an unusable test split before the training
    model = build(pipeline.cfg.classifier.system)
    cached = pipeline.cached_network("classifier", directory)
    trainer = fit(pipeline, "classifier", model, data, directory)
    export(pipeline, trainer, model.network, cached)
    scores = trainer.test(model, datamodule=data, verbose=False)[0]
    log.info(", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
    results = {**scores, "threshold": round(float(model.network.threshold), 2)}
    summarise(pipeline, trainer, directory, "classifier", cached.path, model.network, results)
    return cached.path


def train_inverter(pipeline: Pipeline, directory: Path) -> Path:
    """Train and export an inverter of the classifier. Returns the exported file."""
    data = pipeline.make_data(pipeline.cfg.inverter.excerpts)
    data.setup("fit")  # refuses unusable excerpts before a classifier is trained
    classifier = pipeline.prepare_classifier()
    pipeline.seed()
    model = build(pipeline.cfg.inverter.system, classifier=classifier)
    cached = pipeline.cached_network("inverter", directory)
    trainer = fit(pipeline, "inverter", model, data, directory)
    export(pipeline, trainer, model.network, cached)
    results = {name: float(value) for name, value in trainer.callback_metrics.items()}
    summarise(pipeline, trainer, directory, "inverter", cached.path, model.network, results)
    return cached.path


def fit(pipeline: Pipeline, section: str, model: pl.LightningModule, data: ExcerptsData, directory: Path) -> pl.Trainer:
    """Fit a section's model with the configured callbacks, loggers and trainer, which write into `directory`. With
    resume=true the fit goes on from the last checkpoint there."""
    cfg = pipeline.cfg
    expect_writable(pipeline.models, CACHE)
    callbacks = make_callbacks(cfg, section)
    loggers = make_loggers(cfg, directory)
    trainer = build(
        cfg.trainer,
        callbacks=callbacks,
        logger=loggers,
        plugins=[Checkpoints()],
        default_root_dir=directory,
        **cfg[section].fit,
    )
    checkpoint = latest_valid_checkpoint(directory / "checkpoints") if cfg.get("resume") else None
    if checkpoint:
        log.info(f"going on from {checkpoint}")
    trainer.fit(model, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    return trainer


def make_callbacks(cfg: DictConfig, section: str) -> list[pl.Callback]:
    """The callbacks of a section's training. Raises: ConfigError if one of Lightning's refuses its options."""
    callbacks = []
    for name, node in training_callbacks(cfg, section).items():
        try:
            callbacks.append(build(node))
        except (TypeError, *REFUSALS) as error:
            if is_own_callback(node):
                raise
            raise ConfigError(f"callbacks.{name}: refused by {node._target_} ({error})") from error
    return callbacks


def export(pipeline: Pipeline, trainer: pl.Trainer, network: SVDNet | InverterNet, cached: CachedNetwork) -> None:
    """Write a trained network to the cache, once, while the trainer's other processes wait."""
    if trainer.is_global_zero:
        cached.write(network, pipeline.frontend, trainer.global_step)
        if isinstance(network, InverterNet) and pipeline.cfg.classifier.weights is None:
            pipeline.cached_network("classifier", pipeline.directory).make_latest()  # its partner under the plain name
    trainer.strategy.barrier()


def summarise(
    pipeline: Pipeline,
    trainer: pl.Trainer,
    directory: Path,
    section: str,
    weights: Path,
    network: SVDNet | InverterNet,
    results: dict[str, Any],
) -> None:
    """Write the summary of a training and end its W&B run."""
    if trainer.is_global_zero:
        provenance = pipeline.provenance()
        provenance["hashes"][section] = fingerprint(network, buffers=True)
        results = {"trained": section, "corpus": pipeline.corpus.key, **results, **provenance, "weights": str(weights)}
        write_summary(directory, pipeline.cfg, results)
        log.info(f"{section}: {weights}, run in {directory}")
    finish(trainer.loggers)
