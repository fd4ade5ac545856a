"""Agreement of an explanation with the classifier's confidence, beyond its label.

p(x) is the probability of the class that the classifier predicts for the unmasked excerpt x; M is the mask.
Functions take probabilities whose last dimension is the excerpts, and return one value per excerpt.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from svdx.evaluation.metrics import Average


def average_drop(full: Tensor, kept: Tensor) -> Tensor:
    """max(0, p(x) - p(Mx)) / p(x) in per cent, 0 if p(x) is 0 (Chattopadhay et al., Grad-CAM++, WACV 2018)."""
    drop = (full - kept).clamp_min(0) / full
    return 100 * torch.where(full > 0, drop, 0.0)


def average_increase(full: Tensor, kept: Tensor) -> Tensor:
    """100 if p(Mx) > p(x), else 0 (Grad-CAM++, "increase in confidence")."""
    return 100.0 * (kept > full)


def average_gain(full: Tensor, kept: Tensor) -> Tensor:
    """max(0, p(Mx) - p(x)) / (1 - p(x)) in per cent, 0 if p(x) is 1 (Zhang et al., "Opti-CAM", arXiv 2301.07002)."""
    gain = (kept - full).clamp_min(0) / (1 - full)
    return 100 * torch.where(full < 1, gain, 0.0)


def faithfulness(full: Tensor, removed: Tensor) -> Tensor:
    """p(x) - p((1 - M) x), the confidence lost without the explanation.

    Parekh et al., "Listen to Interpret", NeurIPS 2022, remove the explanation from the waveform; Paissan et al.,
    "Listenable Maps for Audio Classifiers", ICML 2024, mask the input, as here.
    """
    return full - removed


def area_under_curve(curve: Tensor) -> Tensor:
    """Area in [0, 1] under p while bins are removed (deletion) or inserted, the most salient first, [B].

    Petsiuk et al., RISE, BMVC 2018. Insertion starts from the fill, where RISE starts from a blurred input.

    curve: p at equal steps from none to all of the bins, [B, steps + 1]
    """
    return torch.trapezoid(curve, dx=1 / (curve.shape[1] - 1), dim=1)


class Agreement(nn.Module):
    """Means of all these measures over the excerpts, at each of n_thresholds thresholds."""

    def __init__(self, n_thresholds: int) -> None:
        super().__init__()
        self.drop, self.increase = Average(n_thresholds), Average(n_thresholds)
        self.gain, self.faithfulness = Average(n_thresholds), Average(n_thresholds)
        self.insertion, self.deletion = Average(), Average()

    def update(self, full: Tensor, kept: Tensor, removed: Tensor, insertion: Tensor, deletion: Tensor) -> None:
        """full: p of the excerpts, [B]; kept, removed: p with only the explanation, and without it, [T, B];
        insertion, deletion: see `area_under_curve`, [B, steps + 1]"""
        self.drop.update(average_drop(full, kept))
        self.increase.update(average_increase(full, kept))
        self.gain.update(average_gain(full, kept))
        self.faithfulness.update(faithfulness(full, removed))
        self.insertion.update(area_under_curve(insertion))
        self.deletion.update(area_under_curve(deletion))

    def compute(self) -> list[dict[str, float]]:
        """One row per threshold. The areas under the curves do not depend on it and are repeated in every row."""
        columns = {
            "average_drop_percent": self.drop.compute(),
            "average_increase_percent": self.increase.compute(),
            "average_gain_percent": self.gain.compute(),
            "faithfulness": self.faithfulness.compute(),
        }
        areas = {"insertion_auc": self.insertion.compute(), "deletion_auc": self.deletion.compute()}
        return [dict(zip(columns, row)) | areas for row in zip(*columns.values())]
