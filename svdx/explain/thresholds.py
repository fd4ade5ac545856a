"""Where a salience is cut: at a fixed number, at an area, after Otsu, or by what the features lose.

The paper leaves open which thresholding is best (section VI). An `Explainer` takes a number or one of these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, NamedTuple, Protocol

import torch
from pydantic import Field
from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explain.masks import largest_mask
from svdx.schema.checks import checked
from svdx.schema.types import LARGEST_THRESHOLD, Share, Threshold

DIGITS = 4  # of a chosen threshold, where it is shown
LEAST = 1e-6  # shown for a chosen threshold of 0 that does not keep everything, as a threshold of 0 does


class Cut(NamedTuple):
    """salient: bins, bool [B, frames, bands]; threshold: of the salience, [B]"""

    salient: Tensor
    threshold: Tensor


class Masking(Protocol):
    """Of an explainer, what a choice may need."""

    classifier: nn.Module

    def apply(self, excerpts: Tensor, mask: Tensor) -> Tensor: ...


class Choice(ABC):
    """Chooses which bins are salient; a child is a dataclass of its options."""

    name: str
    of_tracks = True  # does it know what to do with a whole track's merged salience?

    @abstractmethod
    def __call__(self, explainer: Masking, excerpts: Tensor, salience: Tensor) -> Cut:
        """excerpts, salience: as in `Explanation`; of a whole track B = 1."""

    @classmethod
    def check_tracks(cls) -> None:
        """Raises ConfigError if whole tracks cannot be cut so."""
        if not cls.of_tracks:
            raise ConfigError(f"threshold={cls.name}: of excerpts only; give start=SECONDS, or another threshold=")

    def shown(self, threshold: float) -> float:
        """A chosen threshold as it is written."""
        return float(f"{threshold:.{DIGITS}g}")

    def words(self, threshold: float) -> str:
        """The choice and what it came to, in words."""
        return f"threshold={self.name}, here {self.shown(threshold):g}"


@checked
@dataclass(frozen=True)
class Fixed(Choice):
    """The same number for all: salience ≥ threshold, in [0, 1.1], as in the paper."""

    threshold: Threshold
    name = "fixed"

    def __call__(self, explainer: Masking, excerpts: Tensor, salience: Tensor) -> Cut:
        return Cut(salience >= self.threshold, salience.new_full((len(salience),), self.threshold))

    def shown(self, threshold: float) -> float:
        return self.threshold

    def words(self, threshold: float) -> str:
        return f"threshold {self.threshold:g}"


@checked
@dataclass(frozen=True)
class Area(Choice):
    """Exactly round(area × bins) bins of every excerpt, those of greatest salience; of equal ones the first.

    In a constant picture no bin is better than another: none is salient, unless all are asked for.
    """

    area: Share
    name = "area"

    def __call__(self, explainer: Masking, excerpts: Tensor, salience: Tensor) -> Cut:
        n_bins = salience[0].numel()
        n_kept = round(self.area * n_bins)
        is_ranked = salience.amax((1, 2)) > salience.amin((1, 2))
        salient = largest_mask(salience, torch.where(is_ranked | (n_kept == n_bins), n_kept, 0))
        return Cut(salient, least_kept(salience, salient))

    def words(self, threshold: float) -> str:
        found = "no bin" if threshold > 1 else f"salience {self.shown(threshold):g} or more"
        return f"best {100 * self.area:.6g} % of the area, here {found}"


@dataclass(frozen=True)
class Otsu(Choice):
    """Of every excerpt's salience, the cut in two classes whose means are farthest apart for their sizes: the greatest
    variance between classes (Otsu, IEEE Trans. SMC 9, 1979), among all values rather than the bins of a histogram.
    """

    name = "otsu"

    def __call__(self, explainer: Masking, excerpts: Tensor, salience: Tensor) -> Cut:
        values = salience.flatten(1).sort(1).values
        total, n = values.double().cumsum(1), values.shape[1]
        below = torch.arange(1, n, device=values.device) / n  # share of the bins under each cut
        apart = total[:, :-1] / (below * n) - (total[:, -1:] - total[:, :-1]) / ((1 - below) * n)
        is_cut = values[:, 1:] > values[:, :-1]
        between = torch.where(is_cut, below * (1 - below) * apart**2, -1.0)
        best = values[:, 1:].gather(1, between.argmax(1, keepdim=True))[:, 0]
        threshold = torch.where(is_cut.any(1), best, LARGEST_THRESHOLD)
        return Cut(salience >= threshold[:, None, None], threshold)


@checked
@dataclass(frozen=True)
class ReconstructionError(Choice):
    """The greatest threshold of a grid from 1 down to 0 whose explanation tells the classifier enough of the excerpt.

    Of what the features Φ lose where nothing is kept, a share `error` at most is lost: ‖Φ(masked x) − Φ(x)‖ ≤
    error · ‖Φ(nothing) − Φ(x)‖, in FC8 for SVDNet.

    step: of the grid. A forward for each step that an excerpt is above its threshold.
    """

    error: Share = 0.5
    step: Annotated[float, Field(gt=0, le=1)] = 0.02
    name = "reconstruction_error"
    of_tracks = False

    def __call__(self, explainer: Masking, excerpts: Tensor, salience: Tensor) -> Cut:
        features = explainer.classifier.features
        heard, salient = features(excerpts), torch.ones_like(salience, dtype=torch.bool)
        nothing = explainer.apply(excerpts, torch.zeros_like(salient))
        allowed = self.error * (features(nothing) - heard).norm(dim=1)
        searched = torch.arange(len(excerpts), device=heard.device)
        for number in range(round(1 / self.step), 0, -1):
            kept = salience[searched] >= number * self.step
            masked = explainer.apply(excerpts[searched], kept)
            near = (features(masked) - heard[searched]).norm(dim=1) <= allowed[searched]
            salient[searched[near]] = kept[near]
            searched = searched[~near]
            if not len(searched):
                break
        return Cut(salient, least_kept(salience, salient))

    def words(self, threshold: float) -> str:
        return f"threshold=reconstruction_error, explainer.error={self.error:g}, here {self.shown(threshold):g}"


def position(cut: float | Area) -> float:
    """Where a cut stands among others of its kind: its threshold, or its area."""
    return cut.area if isinstance(cut, Area) else cut


def least_kept(salience: Tensor, salient: Tensor) -> Tensor:
    """The least salience of the salient bins, [B]; LARGEST_THRESHOLD where there are none."""
    return torch.where(salient, salience, LARGEST_THRESHOLD).amin((1, 2))


def as_choice(threshold: float | Choice) -> Choice:
    """A number as the `Choice` of that fixed threshold. Raises: ConfigError outside [0, 1.1]."""
    return threshold if isinstance(threshold, Choice) else Fixed(threshold)
