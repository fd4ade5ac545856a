"""A training whose numbers are lost ends at once, and says where."""

from __future__ import annotations

from typing import NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from svdx.errors import TrainingError

TOGETHER = 50  # updates whose losses are looked at together, where a look waits for a GPU or for other processes


class Update(NamedTuple):
    """What is remembered of an update until its loss is looked at.

    number: from 1; tracks: that of each excerpt, [B]
    """

    number: int
    rate: float
    tracks: Tensor
    loss: Tensor


class StopWhenNotFinite(pl.Callback):
    """Ends a training whose loss, or a weight of whose network, is NaN or infinite; no such state is ever saved.

    On one CPU an update with such a loss is not made. Elsewhere a few more are, since a look would hold up a GPU: the
    losses stay there and are looked at every 50 updates, at an epoch's end, and before anything is saved.

    Raises: TrainingError, in all of the processes alike, with the update, its learning rate and its batch's tracks.
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        alone = trainer.world_size == 1 and pl_module.device.type == "cpu"
        self.unseen: list[Update] = []
        self.together = 1 if alone else TOGETHER

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: dict, _: int) -> None:
        self.tracks = batch["track"]

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        rate = float(trainer.optimizers[0].param_groups[0]["lr"])
        self.last = Update(trainer.global_step + 1, rate, self.tracks, loss.detach())
        self.unseen.append(self.last)
        if len(self.unseen) >= self.together or trainer.is_last_batch:
            self._look(trainer)

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict) -> None:
        self._look(trainer)
        finite = all(bool(value.isfinite().all()) for value in pl_module.state_dict().values())
        if not trainer.strategy.reduce_boolean_decision(finite, all=True):
            self._stop(trainer, self.last, "left weights that are not finite")

    def _look(self, trainer: pl.Trainer) -> None:
        updates, self.unseen = self.unseen, []
        if not updates:
            return
        losses = trainer.strategy.all_gather(torch.stack([update.loss for update in updates])).view(-1, len(updates))
        finite = losses.isfinite()
        if not finite.all():
            first = int((~finite).any(0).nonzero()[0])
            lost = losses[:, first][~finite[:, first]]
            self._stop(trainer, updates[first], f"has the loss {lost[0]:g}")

    def _stop(self, trainer: pl.Trainer, update: Update, what: str) -> None:
        numbers = trainer.strategy.all_gather(update.tracks).unique()
        names = ", ".join(repr(trainer.datamodule.train_set.tracks[number].name) for number in numbers)
        raise TrainingError(
            f"update {update.number} {what}, at learning rate {update.rate:g}, with excerpts of {names}: "
            "use a lower learning rate, or look for what is wrong with these tracks; the last checkpoint is kept"
        )
