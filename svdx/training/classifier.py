"""Training of SVDNet: the recipe of Schlüter and Grill (ISMIR 2015)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from torchmetrics import CatMetric, MetricCollection
from torchmetrics.classification import BinaryAccuracy, BinaryF1Score, BinaryPrecision, BinaryRecall, BinarySpecificity
from torchmetrics.functional.classification import binary_auroc

from svdx.models.svdnet import SVDNet
from svdx.models.weights import check_resumed, describe

CANDIDATES = 101  # decision thresholds tried: 0.00, 0.01, … 1.00, the precision of the original's 0.66


def best_threshold(probabilities: Tensor, vocal: Tensor) -> float:
    """The decision threshold of highest accuracy; the middle one if several are equally good.

    probabilities: [N]; vocal: [N], bool. A probability above the threshold, not equal to it, means singing.
    """
    candidates = torch.linspace(0, 1, CANDIDATES, device=probabilities.device)
    accuracy = torch.stack([((probabilities > t) == vocal).float().mean() for t in candidates])
    best = (accuracy == accuracy.max()).nonzero()[:, 0]
    return round(float(candidates[best[len(best) // 2]]), 2)


class Detector(pl.LightningModule):
    """Trains an SVDNet on batches {"logmel": [B, 115, 80], "vocal": [B] bool}, or on strips of k + 1 excerpts,
    {"logmel": [B, 115 + 9 k, 80], "vocal": [B, k + 1] bool}.

    The loss is binary cross-entropy with softened targets. Before the fit, the standardisation of the training split is
    taken from the data module. At the end of each validation the decision threshold is tuned for accuracy. Both are
    buffers of the network.

    optimizer: parameters → optimizer
    scheduler, interval: optimizer → scheduler, stepped after each "epoch"; or optimizer and total_steps → scheduler,
        stepped after each "step"
    softening: targets are softening and 1 - softening instead of 0 and 1
    """

    def __init__(
        self,
        network: SVDNet,
        optimizer: Callable[..., torch.optim.Optimizer],
        scheduler: Callable[..., torch.optim.lr_scheduler.LRScheduler],
        interval: str,
        softening: float,
    ) -> None:
        super().__init__()
        self.network, self.softening = network, softening
        self.optimizer, self.scheduler, self.interval = optimizer, scheduler, interval
        self.probabilities, self.vocal = CatMetric(), CatMetric()
        self.decisions = MetricCollection(
            {
                "accuracy": BinaryAccuracy(),
                "precision": BinaryPrecision(),
                "recall": BinaryRecall(),
                "specificity": BinarySpecificity(),
                "f1": BinaryF1Score(),
            }
        )

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer(self.network.parameters())
        length = {"total_steps": self.trainer.estimated_stepping_batches} if self.interval == "step" else {}
        scheduler = self.scheduler(optimizer, **length)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": self.interval}}

    def on_fit_start(self) -> None:
        data: Any = self.trainer.datamodule  # type: ignore[attr-defined]
        mean, std = data.standardisation()
        self.network.mean.copy_(mean)
        self.network.std.copy_(std)

    def training_step(self, batch: dict[str, Tensor]) -> Tensor:
        logits = self.network.strip_logits(self.network.standardise(batch["logmel"]))
        targets = batch["vocal"].view_as(logits).float() * (1 - 2 * self.softening) + self.softening
        loss = binary_cross_entropy_with_logits(logits, targets)
        self.log(
            "train/loss", loss, on_step=False, on_epoch=True, prog_bar=True, sync_dist=True, batch_size=len(logits)
        )
        return loss

    def _collect(self, batch: dict[str, Tensor]) -> None:
        self.probabilities.update(self.network(self.network.standardise(batch["logmel"])))
        self.vocal.update(batch["vocal"].float())

    def _collected(self) -> tuple[Tensor, Tensor]:
        probabilities, vocal = self.probabilities.compute(), self.vocal.compute().bool()
        self.probabilities.reset()
        self.vocal.reset()
        return probabilities, vocal

    def validation_step(self, batch: dict[str, Tensor]) -> None:
        self._collect(batch)

    def on_validation_epoch_end(self) -> None:
        probabilities, vocal = self._collected()
        threshold = best_threshold(probabilities, vocal)
        self.network.threshold.fill_(threshold)
        accuracy = ((probabilities > threshold) == vocal).float().mean()
        self.log("valid/auroc", binary_auroc(probabilities, vocal.long()), prog_bar=True)
        self.log("valid/accuracy", accuracy, prog_bar=True)
        self.log("valid/threshold", threshold)

    def test_step(self, batch: dict[str, Tensor]) -> None:
        self._collect(batch)

    def on_test_epoch_end(self) -> None:
        probabilities, vocal = self._collected()
        self.log("test/auroc", binary_auroc(probabilities, vocal.long()))
        scores = self.decisions((probabilities > self.network.threshold).int(), vocal.int())
        self.log_dict({f"test/{name}": value for name, value in scores.items()})
        self.log("test/vocal_share", vocal.float().mean())
        self.decisions.reset()

    def on_load_checkpoint(self, checkpoint: dict) -> None:
        check_resumed(self.network, checkpoint)

    def on_save_checkpoint(self, checkpoint: dict) -> None:
        checkpoint["svdx"] = describe(self.network)
