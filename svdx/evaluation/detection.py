"""How well a classifier finds singing, by the protocol of Schlüter and Grill (ISMIR 2015): every frame of every track,
the probabilities median-filtered over 56 frames (0.8 s), the threshold tuned for accuracy on the validation split.

Frames whose excerpt would stick out of the track have no probability here and are not counted.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad
from torchmetrics import Metric
from torchmetrics.functional.classification import (
    binary_accuracy,
    binary_auroc,
    binary_f1_score,
    binary_precision,
    binary_recall,
    binary_specificity,
)
from torchmetrics.utilities import dim_zero_cat

SMOOTHING = 56  # frames
EXTREMES = (1e-5, 1e-4, 1e-3)
CANDIDATES = (*EXTREMES, *(i / 100 for i in range(1, 100)), *(1 - e for e in reversed(EXTREMES)))

SCORES = {
    "auroc": binary_auroc,
    "accuracy": binary_accuracy,
    "precision": binary_precision,
    "recall": binary_recall,
    "specificity": binary_specificity,
    "f1": binary_f1_score,
}


def median_filter(curve: Tensor, width: int = SMOOTHING) -> Tensor:
    """Median of `width` values around each one, the ends held; of an even number the upper one of the middle two.

    curve: [T] → [T]. The window begins width // 2 before its value, as that of scipy.ndimage, which the authors used.

    >>> median_filter(torch.tensor([0.0, 9.0, 1.0, 2.0, 3.0]), 3)
    tensor([0., 1., 2., 2., 3.])
    """
    before = width // 2
    ends = pad(curve[None], (before, width - 1 - before), mode="replicate")[0]
    return ends.unfold(0, width, 1).sort(dim=1).values[:, width // 2]


class Detection(Metric):
    """Scores over all frames of all tracks as if they were one; one track an update.

    smoothing: width of the median filter in frames
    """

    def __init__(self, smoothing: int = SMOOTHING) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.add_state("probabilities", [], dist_reduce_fx="cat")
        self.add_state("vocal", [], dist_reduce_fx="cat")

    def update(self, probability: Tensor, vocal: Tensor) -> None:
        """probability: of singing at every frame of a track, [T]; vocal: its labels, [T] bool"""
        self.probabilities.append(median_filter(probability, self.smoothing))
        self.vocal.append(vocal)

    def tuned_threshold(self) -> float:
        """The candidate of greatest accuracy, the lowest of several."""
        probabilities, vocal = dim_zero_cat(self.probabilities), dim_zero_cat(self.vocal)
        accuracy = torch.stack([((probabilities > t) == vocal).float().mean() for t in CANDIDATES])
        return CANDIDATES[int(accuracy.argmax())]

    def compute(self, threshold: float = 0.5) -> dict[str, float]:
        """Every score of `SCORES` where a smoothed probability strictly above the threshold means singing."""
        probabilities, vocal = dim_zero_cat(self.probabilities), dim_zero_cat(self.vocal).int()
        called = (probabilities > threshold).int()
        return {
            name: float(score(probabilities if name == "auroc" else called, vocal)) for name, score in SCORES.items()
        }
