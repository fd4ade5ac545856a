"""A training that is interrupted and resumed gives the same weights, bit for bit, as one that was not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint

from svdx.data.batches import derived_seed
from svdx.errors import TerminatedError
from svdx.training.checkpoints import LAST


class StepSeed(pl.Callback):
    """Seeds every update with the seed of the training, the number of the update and the rank of the process, so that
    dropout and augmentation do not depend on what ran before.

    A training that resumes within an epoch begins with the next batch of that epoch.
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seed = torch.initial_seed()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        loader: Any = trainer.train_dataloader
        loader.sampler.skip(trainer.global_step % trainer.num_training_batches)
        self._seed(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._seed(trainer)  # a validation may have drawn numbers

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        self._seed(trainer)

    def _seed(self, trainer: pl.Trainer) -> None:
        torch.manual_seed(derived_seed(self.seed, trainer.global_step, trainer.global_rank))


class LastCheckpoint(ModelCheckpoint):
    """Saves `checkpoints/last.ckpt` in the trainer's root directory after each epoch, and after SIGTERM (by which a
    cluster announces the end of a job): the current update is completed and saved, and the training ends.

    If several processes train, SIGTERM ends them at once, and they resume from the end of the last epoch.

    Lightning's `save_on_exception` does not do this: it would also save the state in the middle of an update that
    Ctrl-C interrupts.

    Raises: TerminatedError after SIGTERM.
    """

    def __init__(self) -> None:
        super().__init__(filename=Path(LAST).stem, enable_version_counter=False, save_on_train_epoch_end=True)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self.dirpath = str(Path(trainer.default_root_dir) / "checkpoints")
        super().setup(trainer, pl_module, stage)

    def on_train_batch_end(self, trainer: pl.Trainer, *arguments: Any) -> None:
        super().on_train_batch_end(trainer, *arguments)
        if trainer.received_sigterm and not trainer.is_last_batch:  # the end of an epoch is saved anyway
            trainer.save_checkpoint(self._path)
            self._stop(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.received_sigterm:
            self._stop(trainer)

    def _stop(self, trainer: pl.Trainer) -> None:
        raise TerminatedError(f"stopped by SIGTERM after {trainer.global_step} updates, saved as {self._path}")

    @property
    def _path(self) -> Path:
        return Path(str(self.dirpath)) / LAST
