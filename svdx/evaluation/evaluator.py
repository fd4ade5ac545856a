"""The explanation-loss curve: every threshold in one pass over the excerpts."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC

from svdx.evaluation.metrics import ExplanationLoss, RelativeArea
from svdx.explain.explainer import Explainer
from svdx.explain.masks import check_threshold, normalise, relative_area


class Evaluator(pl.LightningModule):
    """Test-only module: one picture per excerpt, then one masked forward per threshold whose mask is a new one.

    explainer: what is evaluated, with its keep and fill; thresholds: the points of the curve
    modules: the networks the explainer uses, so that they follow the trainer's device
    """

    def __init__(self, explainer: Explainer, thresholds: Sequence[float], modules: Sequence[nn.Module]) -> None:
        super().__init__()
        for threshold in thresholds:
            check_threshold(threshold)
        self.explainer, self.thresholds = explainer, [float(t) for t in thresholds]
        self.networks = nn.ModuleList(modules)
        self.auroc, self.accuracy, self.called_singing = BinaryAUROC(), BinaryAccuracy(), MeanMetric()

    def setup(self, stage: str) -> None:
        n_tracks = len(self.trainer.datamodule.test_set.tracks)
        self.losses = nn.ModuleList(ExplanationLoss(n_tracks) for _ in self.thresholds)
        self.areas = nn.ModuleList(RelativeArea() for _ in self.thresholds)

    def test_step(self, batch: dict[str, Tensor]) -> None:
        classifier = self.explainer.classifier
        excerpts = classifier.standardise(batch["logmel"])
        salience = normalise(self.explainer.picture(excerpts))
        probability = classifier(excerpts)
        before = probability > self.explainer.decision
        self._compare_with_labels(probability, before, batch["vocal"])
        previous, after = torch.ones_like(salience, dtype=torch.bool), before.clone()
        for threshold, loss, area in zip(self.thresholds, self.losses, self.areas, strict=True):
            mask = self.explainer.mask(salience, threshold)
            changed = (mask != previous).flatten(1).any(1)
            if changed.any():
                masked = self.explainer.apply(excerpts[changed], mask[changed])
                after[changed] = classifier(masked) > self.explainer.decision
            loss.update(before, after, batch["track"])
            area.update(relative_area(mask))
            previous = mask

    def _compare_with_labels(self, probability: Tensor, called: Tensor, vocal: Tensor) -> None:
        self.auroc.update(probability, vocal.int())
        self.accuracy.update(called.int(), vocal.int())
        self.called_singing.update(called.float())

    def on_test_epoch_end(self) -> None:
        """Log how well the classifier itself did on these excerpts; AUROC is 0 where they are all of one class."""
        self.log("classifier/auroc", self.auroc.compute())
        self.log("classifier/accuracy", self.accuracy.compute())
        self.log("classifier/called_singing", self.called_singing.compute())

    def rows(self, data: str, split: str) -> list[dict]:
        """The curve, a row a threshold, in the columns of curve.csv."""
        head = {"explainer": self.explainer.name, "data": data, "split": split}
        head |= {"keep": self.explainer.keep, "fill": self.explainer.fill}
        return [
            {**head, "threshold": threshold, **loss.compute(), "relative_area_percent": area.compute()}
            for threshold, loss, area in zip(self.thresholds, self.losses, self.areas, strict=True)
        ]
