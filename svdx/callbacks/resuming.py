"""A training that is stopped goes on as if it had not been: the same chance, the same batches, the same weights."""

from __future__ import annotations

from pathlib import Path

import pytorch_lightning as pl
import torch

from svdx.data.batches import derived_seed
from svdx.errors import TerminatedError


class StepSeed(pl.Callback):
    """Dropout and augmentation of an update follow from the seed, the update's number and the process alone.

    A training that goes on inside an epoch begins with the batch that comes next.

    seed: torch's, when the fit begins
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seed = torch.initial_seed()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        trainer.train_dataloader.sampler.skip(trainer.global_step % trainer.num_training_batches)
        self._draw_anew(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._draw_anew(trainer)  # a validation may have drawn

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        self._draw_anew(trainer)

    def _draw_anew(self, trainer: pl.Trainer) -> None:
        torch.manual_seed(derived_seed(self.seed, trainer.global_step, trainer.global_rank))


class SaveWhenTerminated(pl.Callback):
    """On SIGTERM, a cluster's notice, the training is saved after the update that is in hand, and ends.

    Of several processes each ends at once: they go on from the last epoch's end.

    checkpoint: where it is saved
    """

    def __init__(self, checkpoint: str | Path) -> None:
        self.checkpoint = Path(checkpoint)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        if trainer.received_sigterm and not trainer.is_last_batch:  # an epoch that has ended is saved as ever
            trainer.save_checkpoint(self.checkpoint)
            self._stop(trainer)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.received_sigterm:
            self._stop(trainer)

    def _stop(self, trainer: pl.Trainer) -> None:
        raise TerminatedError(f"stopped by SIGTERM after {trainer.global_step} updates, saved as {self.checkpoint}")
