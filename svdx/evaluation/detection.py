"""Singing-voice detection scores by the protocol of Schlüter and Grill (ISMIR 2015).

Every frame of every track counts, probabilities are median-filtered over 56 frames (0.8 s), and the decision threshold
is tuned for accuracy on the validation split. Frames whose excerpt would exceed the track have no probability here and
are not counted.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad
from torchmetrics import Metric
from torchmetrics.functional.classification import (
    binary_accuracy,
    binary_f1_score,
    binary_precision,
    binary_recall,
    binary_specificity,
)
from torchmetrics.utilities import dim_zero_cat

from svdx.errors import CorpusError
from svdx.evaluation.metrics import auroc

SMOOTHING = 56  # frames
EXTREMES = (1e-5, 1e-4, 1e-3)
CANDIDATES = (*EXTREMES, *(i / 100 for i in range(1, 100)), *(1 - e for e in reversed(EXTREMES)))

SCORES = {
    "accuracy": binary_accuracy,
    "precision": binary_precision,
    "recall": binary_recall,
    "specificity": binary_specificity,
    "f1": binary_f1_score,
}


def median_filter(curve: Tensor, width: int = SMOOTHING) -> Tensor:
    """Running median over `width` values; of an even number, the upper one of the middle two. The ends are repeated.

    curve: [T] → [T]. The window begins width // 2 before its value, as in scipy.ndimage, which the authors used.

    >>> median_filter(torch.tensor([0.0, 9.0, 1.0, 2.0, 3.0]), 3)
    tensor([0., 1., 2., 2., 3.])
    """
    before = width // 2
    padded = pad(curve[None], (before, width - 1 - before), mode="replicate")[0]
    return padded.unfold(0, width, 1).sort(dim=1).values[:, width // 2]


class SmoothedFrames(Metric):
    """Base class: collects the smoothed probabilities and the labels of all frames, one track per update.

    smoothing: width of the median filter in frames
    """

    probabilities: list[Tensor]
    vocal: list[Tensor]  # float, as torchmetrics gathers it from a process without tracks

    def __init__(self, smoothing: int = SMOOTHING) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.add_state("probabilities", [], dist_reduce_fx="cat")
        self.add_state("vocal", [], dist_reduce_fx="cat")

    def update(self, probability: Tensor, vocal: Tensor) -> None:
        """probability: of singing at every frame of a track, [T]; vocal: labels of the frames, [T] bool"""
        self.probabilities.append(median_filter(probability, self.smoothing))
        self.vocal.append(vocal.float())

    def update_with_track(self, classifier: Any, logmel: Tensor, vocal: Tensor) -> None:
        """Update with every excerpt of a track; an excerpt's probability is that of its middle frame.

        classifier: `svdx.models.svdnet.SVDNet`; logmel: [T, bands], not standardised; vocal: labels of frames, [T] bool
        """
        starts = torch.arange(len(logmel))[: max(0, len(logmel) - classifier.frames + 1)]
        if len(starts):
            features = classifier.features_at(classifier.standardise(logmel), starts)
            self.update(classifier.decide(features), vocal[starts + classifier.frames // 2])

    def frames(self) -> tuple[Tensor, Tensor]:
        """Smoothed probabilities and labels (bool) of all frames of all tracks, [N].

        Call it in `compute`, where the states of all processes are gathered. Raises: CorpusError if there are no
        frames.
        """
        if not len(self.probabilities):
            raise CorpusError("detection: none of the tracks is as long as an excerpt")
        return dim_zero_cat(self.probabilities), dim_zero_cat(self.vocal).bool()


class TunedThreshold(SmoothedFrames):
    """The threshold of the greatest accuracy among CANDIDATES; the lowest if several are equally good."""

    def compute(self) -> float:
        probabilities, vocal = self.frames()
        accuracy = torch.stack([((probabilities > t) == vocal).float().mean() for t in CANDIDATES])
        return CANDIDATES[int(accuracy.argmax())]


class Detection(SmoothedFrames):
    """Detection scores of frames that are called singing if their probability is strictly above the threshold.

    AUROC is exact, where the original integrates over the 105 candidates by trapezoids.

    threshold: in [0, 1]; smoothing: width of the median filter in frames
    """

    def __init__(self, threshold: float = 0.5, smoothing: int = SMOOTHING) -> None:
        super().__init__(smoothing)
        self.threshold = threshold

    def compute(self) -> dict[str, float]:
        """`SCORES` and auroc. AUROC is NaN if there is one class only; other ratios with denominator 0 are 0."""
        probabilities, vocal = self.frames()
        called_singing = (probabilities > self.threshold).int()
        scores = {name: float(score(called_singing, vocal.int())) for name, score in SCORES.items()}
        return {"auroc": auroc(probabilities, vocal.int()), **scores}
