"""Training of the inverter G on the features of a frozen classifier (section III-A of the paper)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, SupportsFloat

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss
from torch.optim.lr_scheduler import ReduceLROnPlateau

from svdx.models.inverter import InverterNet
from svdx.models.layers import VECTORS, features_of
from svdx.models.weights import check_resumed, describe, fingerprint

CLASSIFIER = "classifier."


class HalveWhenRepeated(ReduceLROnPlateau):
    """The schedule of the released program: halve the learning rate when the cost, truncated to two decimals, equals
    that of the last epoch."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        super().__init__(optimizer, factor=0.5)
        self.previous: int | None = None

    def step(self, metrics: SupportsFloat, epoch: int | None = None) -> None:  # type: ignore[override]
        """metrics: the training cost of an epoch, including the L2 penalty"""
        self.last_epoch += 1
        truncated = math.trunc(float(metrics) * 100)
        if truncated == self.previous:
            self._reduce_lr(self.last_epoch)
        self.previous = truncated
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]


class Inverter(pl.LightningModule):
    """Trains G on batches {"logmel": [B, 115, 80]} or, with cached features, {"logmel", "features": [B, 64]}.

    The features are those of the network's layer. Only vectors are cached; maps are computed in each step, because
    those of conv1 are 60 times as large as the excerpt.

    The cost is the mean squared error over all elements of the standardised excerpt plus l2 · Σ w² over the weights
    and batch-norm scales. The classifier is frozen: it gets no gradient, stays in eval mode, and is not part of the
    checkpoint.

    optimizer: parameters → optimizer; scheduler: optimizer → plateau scheduler, stepped with the cost of each epoch
    """

    classifier: Any  # an nn.Module with `standardise`

    strict_loading = False  # checkpoints hold no classifier

    def __init__(
        self,
        network: InverterNet,
        classifier: nn.Module,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., ReduceLROnPlateau],
        l2: float,
    ) -> None:
        super().__init__()
        self.network, self.classifier = network, classifier.requires_grad_(False)
        self.optimizer, self.scheduler, self.l2 = optimizer, scheduler, l2
        network.inverts = fingerprint(classifier)
        self.total = torch.zeros(3)  # sums over an epoch: errors, costs, updates
        self.train()

    def train(self, mode: bool = True) -> Inverter:
        super().train(mode)
        self.classifier.eval()
        return self

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.network.parameters())
        scheduler = {"scheduler": self.scheduler(optimizer), "monitor": "train/cost"}
        return {"optimizer": optimizer, "lr_scheduler": scheduler}

    def lr_scheduler_step(self, scheduler: Any, metric: Any) -> None:
        """Do nothing: `on_train_epoch_end` steps the scheduler, before the checkpoint is written. Lightning would step
        it after that, and a resumed training would lose the step."""

    def on_train_epoch_end(self) -> None:
        if not self.trainer.is_last_batch:  # the training ends within an epoch
            self._log_means()
        cost = self.trainer.strategy.reduce(self.total[1] / self.total[2], reduce_op="mean")
        scheduler: Any = self.lr_schedulers()
        scheduler.step(float(cost))

    @torch.no_grad()
    def features(self, logmel: Tensor) -> Tensor:
        """log-mel [B, 115, 80] → the classifier's features, [B, 64] of FC8."""
        return features_of(self.classifier, self.network.layer, self.classifier.standardise(logmel))

    @torch.no_grad()
    def features_at(self, track: Tensor, starts: Tensor) -> Tensor:
        """log-mel of a track [T, bands], first frames of excerpts [N] → the classifier's features, [N, 64] of FC8."""
        if hasattr(self.classifier, "features_at"):
            return self.classifier.features_at(self.classifier.standardise(track), starts, self.network.layer)
        excerpts = track.unfold(0, self.network.frames, 1).mT
        return torch.cat([self.features(excerpts[some]) for some in starts.split(64)])

    def on_fit_start(self) -> None:
        if self.network.layer in VECTORS:
            data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
            data.cache_features(self.features_at, self.device)

    def _error(self, batch: dict[str, Tensor]) -> Tensor:
        features = batch["features"] if "features" in batch else self.features(batch["logmel"])
        return mse_loss(self.network(features), self.classifier.standardise(batch["logmel"]))

    def on_train_start(self) -> None:
        self.total = self.total.to(self.device)

    def on_train_epoch_start(self) -> None:
        self.total.zero_()

    def training_step(self, batch: dict[str, Tensor]) -> Tensor:
        error = self._error(batch)
        cost = error + self.l2 * self.network.l2()
        self.total += torch.stack([error.detach(), cost.detach(), torch.ones_like(error)])
        if self.trainer.is_last_batch:  # once per epoch, because logging takes a tenth of a step
            self._log_means()
        return cost

    def _log_means(self) -> None:
        mse, cost, steps = self.total
        scores = {"train/mse": mse / steps, "train/cost": cost / steps}
        self.log_dict(scores, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True, batch_size=1)

    def validation_step(self, batch: dict[str, Tensor]) -> None:
        self.log("valid/mse", self._error(batch), prog_bar=True, sync_dist=True, batch_size=len(batch["logmel"]))

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        state = super().state_dict(*args, **kwargs)
        return {name: value for name, value in state.items() if not name.startswith(CLASSIFIER)}

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        check_resumed(self.network, checkpoint)
        self.total = checkpoint["total"]

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint |= {"svdx": describe(self.network), "total": self.total}
