"""Explanation loss, relative area, reconstruction error and AUROC as torchmetrics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.classification import BinaryAUROC
from torchmetrics.functional.classification import binary_auroc
from torchmetrics.utilities import dim_zero_cat

from svdx.explanation.masks import relative_area

REPETITIONS = 1000  # bootstrap samples
CONFIDENCE = 95  # per cent
FEWEST = 10  # an interval needs at least so many tracks


class ExplanationLoss(Metric):
    """Percentage of excerpts whose label flips if only the explanation is kept (the paper's equation 5).

    Counted per track and predicted class. The empty mask gives every excerpt the same label, so that the pooled loss
    mainly counts the excerpts of the other class; the balanced loss is the mean over both classes.
    """

    n: Tensor  # excerpts, [tracks, 2]: predicted non-vocal, vocal
    flips: Tensor

    def __init__(self, n_tracks: int) -> None:
        super().__init__()
        self.add_state("n", torch.zeros(n_tracks, 2, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("flips", torch.zeros(n_tracks, 2, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, before: Tensor, after: Tensor, track: Tensor) -> None:
        """before, after: labels of the excerpts and of their explanations, [B] bool; track: track indices, [B]"""
        cell = (track, before.long())
        self.n.index_put_(cell, torch.ones_like(track), accumulate=True)
        self.flips.index_put_(cell, (before != after).long(), accumulate=True)

    def compute(self) -> dict[str, float | int]:
        """Counts, pooled and balanced loss and their bootstrap intervals.

        NaN for a loss over no excerpts and an interval from fewer than FEWEST tracks.
        """
        (n_nonvocal, n_vocal), (flips_nonvocal, flips_vocal) = self.n.sum(0).tolist(), self.flips.sum(0).tolist()
        n, flips = n_vocal + n_nonvocal, flips_vocal + flips_nonvocal
        (low, high), (balanced_low, balanced_high) = self._intervals()
        return {
            "n": n,
            "flips": flips,
            "explanation_loss_percent": _percent(flips, n),
            "n_vocal": n_vocal,
            "flips_vocal": flips_vocal,
            "n_nonvocal": n_nonvocal,
            "flips_nonvocal": flips_nonvocal,
            "balanced_loss_percent": (_percent(flips_vocal, n_vocal) + _percent(flips_nonvocal, n_nonvocal)) / 2,
            "ci_low": low,
            "ci_high": high,
            "balanced_ci_low": balanced_low,
            "balanced_ci_high": balanced_high,
        }

    def _intervals(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Percentile bootstrap intervals of the pooled and the balanced loss, seeded.

        Resamples tracks, since excerpts of one track are not independent. The balanced interval needs FEWEST tracks
        of each class and ignores samples in which a class is missing.
        """
        n, flips = self.n.cpu().numpy(), self.flips.cpu().numpy()
        n, flips = n[n.sum(1) > 0], flips[n.sum(1) > 0]
        if len(n) < FEWEST:
            return (math.nan, math.nan), (math.nan, math.nan)
        has_both_classes = (n > 0).sum(0).min() >= FEWEST
        drawn = np.random.default_rng(0).integers(len(n), size=(REPETITIONS, len(n)))
        n, flips = n[drawn].sum(1), flips[drawn].sum(1)
        both = n.all(1)
        balanced = _interval((100 * flips[both] / n[both]).mean(1)) if has_both_classes else (math.nan, math.nan)
        return _interval(100 * flips.sum(1) / n.sum(1)), balanced


def _interval(values: np.ndarray) -> tuple[float, float]:
    """The central CONFIDENCE per cent of values [N]; NaN if there are none."""
    if not len(values):
        return math.nan, math.nan
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


def _percent(part: int, total: int) -> float:
    return 100 * part / total if total else math.nan


class Average(Metric):
    """Mean over excerpts in double precision, NaN if there are none.

    torchmetrics' `MeanMetric` returns to single precision as soon as it is moved to a device.

    shape: of the result
    """

    total: Tensor
    n: Tensor

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.add_state("total", torch.zeros(shape, dtype=torch.double), dist_reduce_fx="sum")
        self.add_state("n", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, values: Tensor) -> None:
        """values: [*shape, B]"""
        self.total += values.double().sum(-1)
        self.n += values.shape[-1]

    def compute(self) -> Any:
        """A float, or lists of floats of this shape."""
        return (self.total / self.n).tolist()


class Curve(nn.Module):
    """Explanation loss and relative area at every threshold."""

    def __init__(self, n_tracks: int, n_thresholds: int) -> None:
        super().__init__()
        self.losses = [ExplanationLoss(n_tracks) for _ in range(n_thresholds)]
        self.metrics = nn.ModuleList(self.losses)  # they follow the device
        self.area = Average(n_thresholds)

    def update(self, before: Tensor, after: Tensor, masks: Tensor, track: Tensor) -> None:
        """before: labels of the excerpts, [B] bool; after: labels of their explanations, [T, B] bool;
        masks: [T, B, frames, bands] bool; track: track indices, [B]"""
        for labels, loss in zip(after, self.losses, strict=True):
            loss.update(before, labels, track)
        self.area.update(torch.stack([100 * relative_area(kept).double() for kept in masks]))

    def compute(self) -> list[dict[str, float | int]]:
        """One row per threshold: `ExplanationLoss.compute` and relative_area_percent."""
        rows = zip(self.losses, self.area.compute(), strict=True)
        return [{**loss.compute(), "relative_area_percent": area} for loss, area in rows]


class ReconstructionError(Metric):
    """Mean distance of reconstructions from their originals, over the mean distance of two different originals.

    Distances are Euclidean (Dosovitskiy and Brox, "Inverting Visual Representations with Convolutional Networks", CVPR
    2016; for SVDNet: Mishra, Sturm and Dixon, ISMIR 2018). 0 is perfect, 1 no better than another excerpt. The mean of
    all originals scores about 0.7, since in many dimensions two excerpts are √2 as far from each other as from their
    mean. Stores all originals and compares every pair: `Evaluator` passes at most 1000.
    """

    total: Tensor
    n: Tensor
    originals: list[Tensor]

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0, dtype=torch.double), dist_reduce_fx="sum")
        self.add_state("n", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("originals", [], dist_reduce_fx="cat")  # flat: a process without excerpts passes an empty one

    def update(self, original: Tensor, reconstructed: Tensor) -> None:
        """original, reconstructed: [B, ...]"""
        self.total += (original - reconstructed).flatten(1).norm(dim=1).double().sum()
        self.n += len(original)
        self.originals.append(original.flatten())

    def compute(self) -> float:
        """The ratio; NaN for fewer than two originals or for equal ones."""
        n = int(self.n)
        if n < 2:
            return math.nan
        originals = dim_zero_cat(self.originals).view(n, -1)
        distances = torch.cdist(originals, originals).fill_diagonal_(0).double()
        between = float(distances.sum()) / (n * (n - 1))
        return float(self.total) / n / between if between else math.nan


class AUROC(BinaryAUROC):
    """Exact area under the receiver operating characteristic, see `auroc`."""

    preds: list[Tensor]
    target: list[Tensor]

    def compute(self) -> Tensor:  # type: ignore[override]  # torchmetrics' own classes contradict each other here
        return torch.tensor(auroc(dim_zero_cat(self.preds), dim_zero_cat(self.target)))


def auroc(probability: Tensor, vocal: Tensor) -> float:
    """Probability that a vocal excerpt has a greater `probability` than a non-vocal one (ties count half).

    NaN if there is one class only, where torchmetrics returns 0.

    probability, vocal: [N], vocal as int
    """
    return float(binary_auroc(probability, vocal)) if 0 < vocal.sum() < len(vocal) else math.nan
