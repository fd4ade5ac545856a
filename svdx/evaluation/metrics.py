"""What is counted when only a region of each excerpt is kept."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import BinaryAUROC
from torchmetrics.functional.classification import binary_auroc
from torchmetrics.utilities import dim_zero_cat

REPETITIONS = 1000  # of the bootstrap
CONFIDENCE = 95  # per cent
FEWEST = 10  # tracks whose bootstrap gives an interval


class ExplanationLoss(Metric):
    """Share of excerpts whose label flips when only the explanation is kept, in per cent (the paper's equation 5).

    Counted per track and per predicted class: the empty input has one label, so a pooled loss mostly counts the
    excerpts of the other one.
    """

    def __init__(self, n_tracks: int) -> None:
        super().__init__()
        self.add_state("n", torch.zeros(n_tracks, 2, dtype=torch.long), dist_reduce_fx="sum")
        self.add_state("flips", torch.zeros(n_tracks, 2, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, before: Tensor, after: Tensor, track: Tensor) -> None:
        """before, after: labels of the excerpts and of their explanations, [B] bool; track: track numbers, [B]."""
        cell = (track, before.long())
        self.n.index_put_(cell, torch.ones_like(track), accumulate=True)
        self.flips.index_put_(cell, (before != after).long(), accumulate=True)

    def compute(self) -> dict[str, float | int]:
        """Counts, pooled and balanced loss, and their bootstrap intervals; a loss over nothing is NaN, and so is an
        interval from fewer than FEWEST tracks."""
        (n_nonvocal, n_vocal), (flips_nonvocal, flips_vocal) = self.n.sum(0).tolist(), self.flips.sum(0).tolist()
        n, flips = n_vocal + n_nonvocal, flips_vocal + flips_nonvocal
        (low, high), (balanced_low, balanced_high) = self._intervals()
        return {
            "n": n,
            "flips": flips,
            "explanation_loss_percent": percent(flips, n),
            "n_vocal": n_vocal,
            "flips_vocal": flips_vocal,
            "n_nonvocal": n_nonvocal,
            "flips_nonvocal": flips_nonvocal,
            "balanced_loss_percent": (percent(flips_vocal, n_vocal) + percent(flips_nonvocal, n_nonvocal)) / 2,
            "ci_low": low,
            "ci_high": high,
            "balanced_ci_low": balanced_low,
            "balanced_ci_high": balanced_high,
        }

    def _intervals(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Percentile bootstrap of the pooled and of the balanced loss over tracks, since excerpts of one track are not
        independent; seeded. Each class must come from FEWEST tracks for the balanced one, whose draws without one of
        the classes are left out."""
        n, flips = self.n.cpu().numpy(), self.flips.cpu().numpy()
        n, flips = n[n.sum(1) > 0], flips[n.sum(1) > 0]
        none = interval(np.array([]))
        if len(n) < FEWEST:
            return none, none
        of_both = (n > 0).sum(0).min() >= FEWEST
        drawn = np.random.default_rng(0).integers(len(n), size=(REPETITIONS, len(n)))
        n, flips = n[drawn].sum(1), flips[drawn].sum(1)
        both = n.all(1)
        balanced = interval((100 * flips[both] / n[both]).mean(1)) if of_both else none
        return interval(100 * flips.sum(1) / n.sum(1)), balanced


def interval(values: np.ndarray) -> tuple[float, float]:
    """Where the middle 95 per cent of the values [N] begin and end; NaN of nothing."""
    if not len(values):
        return math.nan, math.nan
    tail = (100 - CONFIDENCE) / 2
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)


class Average(Metric):
    """Mean over excerpts of what `update` is given, NaN of nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0, dtype=torch.double), dist_reduce_fx="sum")
        self.add_state("n", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, values: Tensor) -> None:
        """values: [B]"""
        self.total += values.double().sum()
        self.n += len(values)

    def compute(self) -> float:
        return float(self.total / self.n)


class RelativeArea(Average):
    """Mean share of kept bins, in per cent."""

    def update(self, areas: Tensor) -> None:
        """areas: shares of kept bins, [B] in [0, 1]."""
        super().update(100 * areas.double())


class ReconstructionError(Metric):
    """Mean Euclidean distance of what is reconstructed from its original, over the mean distance of two different
    originals (Dosovitskiy and Brox, "Inverting Visual Representations with Convolutional Networks", CVPR 2016; for
    SVDNet: Mishra, Sturm and Dixon, ISMIR 2018).

    0 is perfect and 1 no better than another excerpt, but to give the mean of the originals for each of them is better
    than that: about 0.7, for in many dimensions two excerpts are √2 as far from each other as from their mean.
    Keeps all originals to compare every pair, so give it some of many; `Evaluator` gives it at most 1000.
    """

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0, dtype=torch.double), dist_reduce_fx="sum")
        self.add_state("n", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("originals", [], dist_reduce_fx="cat")  # flat, as torchmetrics takes them of an idle process

    def update(self, original: Tensor, reconstructed: Tensor) -> None:
        """original, reconstructed: [B, ...]"""
        self.total += (original - reconstructed).flatten(1).norm(dim=1).double().sum()
        self.n += len(original)
        self.originals.append(original.flatten())

    def compute(self) -> float:
        """The ratio; NaN of less than two originals or of equal ones."""
        n = int(self.n)
        if n < 2:
            return float("nan")
        originals = dim_zero_cat(self.originals).view(n, -1)
        distances = torch.cdist(originals, originals).fill_diagonal_(0).double()
        between = float(distances.sum()) / (n * (n - 1))
        return float(self.total) / n / between if between else float("nan")


class AUROC(BinaryAUROC):
    """Area under the receiver operating characteristic, exact; see `auroc`."""

    def compute(self) -> float:
        return auroc(dim_zero_cat(self.preds), dim_zero_cat(self.target))


def auroc(probability: Tensor, vocal: Tensor) -> float:
    """Share of pairs of a vocal and a non-vocal one in which the vocal one's probability is greater (half of those in
    which it is equal); NaN of one class, where torchmetrics gives 0.

    probability, vocal: [N], vocal as int
    """
    return float(binary_auroc(probability, vocal)) if 0 < vocal.sum() < len(vocal) else float("nan")


def percent(part: int, whole: int) -> float:
    """part of whole in per cent; NaN of nothing."""
    return 100 * part / whole if whole else float("nan")
