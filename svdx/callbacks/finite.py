"""A training whose loss or weights are not finite ends at once and names the update."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from torch import Tensor

from svdx.errors import TrainingError

INTERVAL = 50  # updates between two checks, where a check waits for a GPU or for other processes


class Update(NamedTuple):
    """An update whose loss has not been checked. number: from 1; rate: learning rate; tracks: of each excerpt, [B]"""

    number: int
    rate: float
    tracks: Tensor
    loss: Tensor


class StopWhenNotFinite(pl.Callback):
    """Ends a training whose loss or weights are NaN or infinite. Such a state is never saved.

    On one CPU every loss is checked before its update. On a GPU, and with several processes, losses are checked every
    50 updates, at the end of an epoch, and before anything is saved, because a check would make the GPU wait.

    Raises: TrainingError in all processes, with the update, its learning rate and the tracks of its batch.
    """

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        one_cpu = trainer.world_size == 1 and pl_module.device.type == "cpu"
        self.unchecked: list[Update] = []
        self.interval = 1 if one_cpu else INTERVAL

    def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: dict, _: int) -> None:
        self.tracks = batch["track"]

    def on_before_backward(self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor) -> None:
        rate = float(trainer.optimizers[0].param_groups[0]["lr"])
        self.last = Update(trainer.global_step + 1, rate, self.tracks, loss.detach())
        self.unchecked.append(self.last)
        if len(self.unchecked) >= self.interval or trainer.is_last_batch:
            self._check(trainer)

    def on_save_checkpoint(self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict) -> None:
        self._check(trainer)
        finite = all(bool(value.isfinite().all()) for value in pl_module.state_dict().values())
        if not trainer.strategy.reduce_boolean_decision(finite, all=True):
            self._stop(trainer, self.last, "left weights that are not finite")

    def _check(self, trainer: pl.Trainer) -> None:
        updates, self.unchecked = self.unchecked, []
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
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        names = ", ".join(repr(data.train_set.tracks[number].name) for number in numbers)
        raise TrainingError(
            f"update {update.number} {what}, at learning rate {update.rate:g}, with excerpts of {names}: "
            "use a lower learning rate, or look for what is wrong with these tracks; the last checkpoint is kept"
        )
