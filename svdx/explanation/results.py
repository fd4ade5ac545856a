"""The result of explaining an excerpt or a track: the values from which figures, pages, sounds and arrays are made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch

from svdx.audio.logmel import FrontEnd
from svdx.audio.reading import Sound
from svdx.corpora.track import Track
from svdx.explanation.explainer import Explanation
from svdx.explanation.region import Region, Voice
from svdx.explanation.thresholds import Choice
from svdx.explanation.tracks import TrackExplanation


@dataclass(frozen=True)
class Method:
    """How a mask was made. name, score_name, choice, keep, fill: those of the `Explainer`"""

    name: str
    score_name: str
    choice: Choice
    keep: str
    fill: str


@dataclass(frozen=True)
class AsSound:
    """The kept part as sound, put through front end and classifier again.

    samples: mono at the front end's rate, [n]
    probability: of singing, for each excerpt, [N]; flipped: whether its label differs from the input's, [N] bool
    """

    samples: np.ndarray
    probability: np.ndarray
    flipped: np.ndarray


@dataclass(frozen=True)
class Point:
    """The explanation at one position of the page's slider.

    position: a threshold of the salience, or an area
    threshold: the least salience of the salient bins; more than 1 if no bin is salient
    n_kept: number of kept bins
    probability: of singing, for the explanation of each excerpt, [N]
    flipped: whether its label differs from the excerpt's, [N] bool
    as_sound: None where the kept part is not turned into sound
    """

    position: float
    threshold: float
    n_kept: int
    probability: np.ndarray
    flipped: np.ndarray
    as_sound: AsSound | None = None


@dataclass(frozen=True)
class Curve:
    """The explanation at several positions.

    points: by ascending position, the opening among them
    has_areas: whether positions are areas, not thresholds
    opening: the position of the explainer's own mask; the kept part is turned into sound there
    """

    points: tuple[Point, ...]
    has_areas: bool
    opening: float

    @property
    def opening_point(self) -> Point:
        return next(point for point in self.points if point.position == self.opening)

    @property
    def opening_sound(self) -> AsSound:
        sound = self.opening_point.as_sound
        assert sound is not None, "the explainer's own mask is always turned into sound"
        return sound


@dataclass(frozen=True)
class Timeline:
    """Probability of singing over a track. times: centres of the excerpts, in seconds, [M]; probability: [M]"""

    times: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Result(ABC):
    """An explanation with everything that is shown of it. Log-mels and masks are [frames, bands].

    track: the source of the sound, with its labels; frontend: of the log-mel; method: of the mask
    logmel: natural logarithm, not standardised
    sound, kept: the excerpt or track and its kept part, at the input's rate and in its channels
    samples: the sound as the classifier hears it, mono at the front end's rate, [n]
    region: where the kept energy lies; None if nothing is kept
    labelled: what the labels say at the centre of each excerpt, [N] bool; None without labels
    voice: None if the voice alone is not known
    """

    track: Track
    frontend: FrontEnd
    method: Method
    logmel: np.ndarray
    sound: Sound
    kept: Sound
    samples: np.ndarray
    curve: Curve
    region: Region | None = None
    labelled: np.ndarray | None = None
    voice: Voice | None = None

    @property
    @abstractmethod
    def salience(self) -> np.ndarray:
        """Score of every bin, scaled to [0, 1]."""

    @property
    @abstractmethod
    def mask(self) -> np.ndarray:
        """True where the log-mel is kept."""

    @property
    @abstractmethod
    def threshold(self) -> float:
        """Of the salience, at the explainer's own mask."""

    @property
    def seconds(self) -> float:
        return len(self.logmel) / self.frontend.frame_rate


@dataclass(frozen=True, kw_only=True)
class ExcerptResult(Result):
    """The result for one excerpt. explanation: a batch of one; start: where the excerpt begins, in seconds"""

    explanation: Explanation
    start: float
    timeline = None

    @property
    def salience(self) -> np.ndarray:
        return self.explanation.salience[0].numpy()

    @property
    def mask(self) -> np.ndarray:
        return self.explanation.mask[0].numpy()

    @property
    def threshold(self) -> float:
        return float(self.explanation.threshold[0])


@dataclass(frozen=True, kw_only=True)
class TrackResult(Result):
    """The result for a whole track, from N overlapping excerpts."""

    explanation: TrackExplanation
    timeline: Timeline

    @property
    def salience(self) -> np.ndarray:
        return self.explanation.salience.numpy()

    @property
    def mask(self) -> np.ndarray:
        return self.explanation.mask.numpy()

    @property
    def threshold(self) -> float:
        return self.explanation.threshold

    @property
    def hop(self) -> float:
        """Seconds from the first excerpt to the second; 0 if there is only one."""
        return float(torch.diff(self.explanation.starts[:2]).sum()) / self.frontend.frame_rate
