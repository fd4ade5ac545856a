"""How well a classifier finds singing, by the protocol of Schlüter and Grill (ISMIR 2015): every frame of every track,
the probabilities median-filtered over 56 frames (0.8 s), the threshold tuned for accuracy on the validation split.

Frames whose excerpt would stick out of the track have no probability here and are not counted.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
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
    """Median of `width` values around each one, the ends held; of an even number the upper one of the middle two.

    curve: [T] → [T]. The window begins width // 2 before its value, as that of scipy.ndimage, which the authors used.

    >>> median_filter(torch.tensor([0.0, 9.0, 1.0, 2.0, 3.0]), 3)
    tensor([0., 1., 2., 2., 3.])
    """
    before = width // 2
    ends = pad(curve[None], (before, width - 1 - before), mode="replicate")[0]
    return ends.unfold(0, width, 1).sort(dim=1).values[:, width // 2]


class SmoothedFrames(Metric):
    """All frames of all tracks as if they were one; one track an update. A child says what is computed of them.

    smoothing: width of the median filter in frames
    """

    def __init__(self, smoothing: int = SMOOTHING) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.add_state("probabilities", [], dist_reduce_fx="cat")
        self.add_state("vocal", [], dist_reduce_fx="cat")  # float, as torchmetrics takes it of a process without tracks

    def update(self, probability: Tensor, vocal: Tensor) -> None:
        """probability: of singing at every frame of a track, [T]; vocal: its labels, [T] bool"""
        self.probabilities.append(median_filter(probability, self.smoothing))
        self.vocal.append(vocal.float())

    def update_with_track(self, classifier: nn.Module, logmel: Tensor, vocal: Tensor) -> None:
        """Update with every excerpt of a track, whose probability is that of its middle frame.

        classifier: SVDNet; logmel: [T, bands], raw; vocal: labels of its frames, [T] bool
        """
        starts = torch.arange(len(logmel))[: max(0, len(logmel) - classifier.frames + 1)]
        if len(starts):
            features = classifier.features_at(classifier.standardise(logmel), starts)
            self.update(classifier.decide(features), vocal[starts + classifier.frames // 2])

    def frames(self) -> tuple[Tensor, Tensor]:
        """Smoothed probabilities and labels (bool) of the frames of all tracks, [N]; to be called in `compute`, where
        those of all processes are there. Raises: CorpusError where there are none."""
        if not len(self.probabilities):
            raise CorpusError("detection: none of the tracks is as long as an excerpt")
        return dim_zero_cat(self.probabilities), dim_zero_cat(self.vocal).bool()


class TunedThreshold(SmoothedFrames):
    """The candidate of greatest accuracy, the lowest of several."""

    def compute(self) -> float:
        probabilities, vocal = self.frames()
        accuracy = torch.stack([((probabilities > t) == vocal).float().mean() for t in CANDIDATES])
        return CANDIDATES[int(accuracy.argmax())]


class Detection(SmoothedFrames):
    """Scores where a smoothed probability strictly above the threshold means singing; AUROC, which has no threshold,
    exactly, where the original takes a trapezoid over the 105 candidates.

    threshold: in [0, 1]; smoothing: width of the median filter in frames
    """

    def __init__(self, threshold: float = 0.5, smoothing: int = SMOOTHING) -> None:
        super().__init__(smoothing)
        self.threshold = threshold

    def compute(self) -> dict[str, float]:
        """Every score of `SCORES` and `auroc`. AUROC of one class is NaN; a share of nothing, as the precision where
        nothing is called singing, is 0."""
        probabilities, vocal = self.frames()
        called = (probabilities > self.threshold).int()
        scores = {name: float(score(called, vocal.int())) for name, score in SCORES.items()}
        return {"auroc": auroc(probabilities, vocal.int()), **scores}
