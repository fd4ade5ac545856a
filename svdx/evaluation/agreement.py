"""How far the classifier's confidence in its own label agrees with an explanation, beyond the label itself.

p is the probability of the class that the classifier names for the whole excerpt, before anything is masked.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from svdx.evaluation.metrics import Average


class AverageDrop(Average):
    """max(0, p - q) / p in per cent, q with only the explanation kept (Chattopadhay et al., Grad-CAM++, WACV 2018)."""

    def update(self, whole: Tensor, kept: Tensor) -> None:
        """whole, kept: p and q, [B]; where p is 0 nothing can be lost"""
        drop = (whole - kept).clamp_min(0) / whole
        super().update(100 * torch.where(whole > 0, drop, 0.0))


class AverageIncrease(Average):
    """Share of excerpts with q > p in per cent (Grad-CAM++, "increase in confidence")."""

    def update(self, whole: Tensor, kept: Tensor) -> None:
        """whole, kept: p and q, [B]"""
        super().update(100.0 * (kept > whole))


class AverageGain(Average):
    """max(0, q - p) / (1 - p) in per cent (Zhang et al., "Opti-CAM", arXiv 2301.07002)."""

    def update(self, whole: Tensor, kept: Tensor) -> None:
        """whole, kept: p and q, [B]; where p is 1 nothing can be gained"""
        gain = (kept - whole).clamp_min(0) / (1 - whole)
        super().update(100 * torch.where(whole < 1, gain, 0.0))


class Faithfulness(Average):
    """p(x) - p((1 - M) x): what is lost when the explanation is taken away (Parekh et al., "Listen to Interpret",
    NeurIPS 2022, for whom it is taken out of the sound; masked as here: Paissan et al., "Listenable Maps for Audio
    Classifiers", ICML 2024)."""

    def update(self, whole: Tensor, removed: Tensor) -> None:
        """whole, removed: p of the excerpt and of what the mask does not keep, [B]"""
        super().update(whole - removed)


class AreaUnderCurve(Average):
    """Area under p while bins are removed (deletion) or brought back (insertion), the most salient ones first
    (Petsiuk et al., RISE, BMVC 2018); between 0 and 1. Insertion starts from the fill, where RISE blurs the input."""

    def update(self, curve: Tensor) -> None:
        """curve: p at equal steps from none to all of the bins, [B, steps + 1]"""
        super().update(torch.trapezoid(curve, dx=1 / (curve.shape[1] - 1), dim=1))


class Agreement(nn.Module):
    """All of these for a curve of n_thresholds explanations."""

    def __init__(self, n_thresholds: int) -> None:
        super().__init__()
        kinds = (AverageDrop, AverageIncrease, AverageGain, Faithfulness)
        self.points = nn.ModuleList(nn.ModuleList(kind() for kind in kinds) for _ in range(n_thresholds))
        self.insertion, self.deletion = AreaUnderCurve(), AreaUnderCurve()

    def update(self, whole: Tensor, kept: Tensor, removed: Tensor, insertion: Tensor, deletion: Tensor) -> None:
        """whole: p, [B]; kept, removed: of the explanations and of their complements, [T, B]; the curves:
        [B, steps + 1]"""
        for (drop, increase, gain, faithfulness), q, r in zip(self.points, kept, removed, strict=True):
            drop.update(whole, q)
            increase.update(whole, q)
            gain.update(whole, q)
            faithfulness.update(whole, r)
        self.insertion.update(insertion)
        self.deletion.update(deletion)

    def compute(self) -> list[dict[str, float]]:
        """A row a threshold; the areas under the curves, which have no threshold, are the same in each."""
        names = ("average_drop_percent", "average_increase_percent", "average_gain_percent", "faithfulness")
        areas = {"insertion_auc": self.insertion.compute(), "deletion_auc": self.deletion.compute()}
        return [
            {**{name: metric.compute() for name, metric in zip(names, point, strict=True)}, **areas}
            for point in self.points
        ]
