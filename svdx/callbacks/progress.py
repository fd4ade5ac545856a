"""The progress of a training: learning rate and one log line per epoch."""

from __future__ import annotations

import logging

import pytorch_lightning as pl

log = logging.getLogger(__name__)


class LearningRate(pl.Callback):
    """Logs the learning rate at the start of each epoch as `train/learning_rate`, in the epoch's row of metrics.csv.

    Lightning's LearningRateMonitor would write a row of its own, without the other numbers.
    """

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        pl_module.log("train/learning_rate", rate, sync_dist=True)


class EpochLines(pl.Callback):
    """Logs the numbers of each epoch, in one line; those of a validation only if it ran in that epoch."""

    def __init__(self) -> None:
        self.last_validated = -1

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.last_validated = trainer.current_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        stale = () if self.last_validated == trainer.current_epoch else ("valid/",)
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items() if not name.startswith(stale)}
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in sorted(metrics.items()))
        model = type(pl_module).__name__.lower()
        log.info(f"{model} epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {numbers}")
