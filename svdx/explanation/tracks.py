"""Explaining a whole track by its overlapping excerpts, merged into one time–frequency map."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from svdx.explanation.explainer import BaseExplanation, Explainer
from svdx.explanation.masks import relative_area
from svdx.explanation.thresholds import Choice

BATCH = 32  # excerpts at a time


@dataclass(frozen=True)
class TrackExplanation(BaseExplanation):
    """Which bins of a track of T frames a classifier listened to, from N overlapping excerpts.

    track: [T, bands], standardised; starts: first frame of every excerpt, [N]
    salience: the excerpts' saliences merged, [T, bands] in [0, 1]; see `merge`
    mask: True where the track is kept, [T, bands]; masked: the track with everything else filled
    probability, masked_probability: of singing, for the excerpts of the track and of `masked`, [N]
    decision: a probability strictly above it means singing
    threshold: of the merged salience, see `Explanation`
    """

    track: Tensor
    starts: Tensor
    salience: Tensor
    mask: Tensor
    masked: Tensor
    probability: Tensor
    masked_probability: Tensor
    decision: float
    threshold: float

    def to(self, device: torch.device | str) -> TrackExplanation:
        """The same on another device, except for the starts, which index frames."""
        return replace(super().to(device), starts=self.starts)

    @property
    def area(self) -> float:
        """Share of kept bins."""
        return float(relative_area(self.mask[None])[0])


@torch.no_grad()
def explain_track(explainer: Explainer, track: Tensor, length: int, hop: int) -> TrackExplanation:
    """Explain a standardised track [T, bands] by its excerpts of `length` frames, one every `hop` frames."""
    explainer.choice.check_tracks()
    starts = excerpt_starts(len(track), length, hop)
    total, weight = torch.zeros_like(track), track.new_zeros(len(track), 1)
    window = merging_window(length)[:, None].to(track)
    scored = []
    for some in starts.split(BATCH):
        score, probability = explainer.score_and_predict(torch.stack([track[start : start + length] for start in some]))
        scored.append(probability)
        for start, salience in zip(some.tolist(), explainer.salience(score), strict=True):
            total[start : start + length] += window * salience
            weight[start : start + length] += window
    salience = (total / weight).clamp(0, 1)  # a mean of ones may be rounded to more
    probability, undecided = torch.cat(scored), math.nan
    explained = TrackExplanation(
        track, starts, salience, salience, track, probability, probability, explainer.decision, undecided
    )
    return at(explainer, explained, explainer.threshold)


@torch.no_grad()
def at(explainer: Explainer, explanation: TrackExplanation, threshold: float | Choice) -> TrackExplanation:
    """The same explanation with the mask of another threshold; the fill "excerpt-mean" is the track's mean here."""
    track = explanation.track[None]
    mask, cut = explainer.cut(track, explanation.salience[None], threshold)
    masked = explainer.apply(track, mask)[0]
    probability = probabilities(explainer.classifier, masked, explanation.starts)
    return replace(explanation, mask=mask[0], masked=masked, masked_probability=probability, threshold=float(cut))


def excerpt_starts(n_frames: int, length: int, hop: int) -> Tensor:
    """First frames of excerpts, [N]: one every `hop` frames, and one that ends with the track.

    >>> excerpt_starts(10, 4, 3), excerpt_starts(11, 4, 3)
    (tensor([0, 3, 6]), tensor([0, 3, 6, 7]))
    """
    return torch.tensor(sorted({*range(0, n_frames - length + 1, hop), n_frames - length}))


def merging_window(length: int) -> Tensor:
    """Weight of each frame of an excerpt in the merged map, sin²(π (i + ½) / length), [length].

    A Hann window without zeros: the classifier's label belongs to the excerpt's centre, and the borders of excerpts do
    not show in the map. A bin's merged salience is the weighted mean of its saliences in all excerpts that contain it.
    """
    return torch.sin(math.pi * (torch.arange(length) + 0.5) / length) ** 2


def probabilities(classifier: Any, track: Tensor, starts: Tensor) -> Tensor:
    """Probability of singing in the excerpts of a standardised track [T, bands] from frames `starts` [N], [N]."""
    return classifier.decide(classifier.features_at(track, starts))
