"""Rules that choose the threshold of a salience: a fixed number, an area, Otsu's method, a reconstruction error.

The paper leaves open which thresholding is best (section VI). An `Explainer` takes a number or one of these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, NamedTuple, Protocol

import torch
from pydantic import Field
from torch import Tensor

from svdx.errors import ConfigError
from svdx.explanation.masks import largest_mask
from svdx.schema.checks import checked
from svdx.schema.types import LARGEST_THRESHOLD, Share, Threshold

DIGITS = 4  # of a chosen threshold, where it is shown
LEAST = 1e-6  # shown for a chosen threshold of 0 that does not keep everything, as a threshold of 0 does


class Cut(NamedTuple):
    """salient: bins, bool [B, frames, bands]; threshold: of the salience, [B]"""

    salient: Tensor
    threshold: Tensor


class Masking(Protocol):
    """The part of an explainer that a choice may use."""

    classifier: Any

    def apply(self, excerpts: Tensor, mask: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Choice(ABC):
    """A rule that selects the salient bins. A subclass is a dataclass of its options."""

    name: ClassVar[str]
    of_tracks: ClassVar[bool] = True  # whether it applies to the merged salience of a whole track

    @abstractmethod
    def __call__(self, explainer: Masking, excerpts: Tensor, salience: Tensor) -> Cut:
        """excerpts, salience: as in `Explanation`; of a whole track B = 1."""

    @classmethod
    def check_tracks(cls) -> None:
        """Raises ConfigError if the rule does not apply to whole tracks."""
        if not cls.of_tracks:
            raise ConfigError(
                f"threshold={cls.name}: does not support whole tracks; give start=SECONDS, or another threshold="
            )

    def shown(self, threshold: float) -> float:
        """A threshold as it is shown."""
        return float(f"{threshold:.{DIGITS}g}")

    def words(self, threshold: float) -> str:
        """The rule and the threshold that it chose, in words."""
        return f"threshold={self.name}, here {self.shown(threshold):g}"


@checked
@dataclass(frozen=True)
class Fixed(Choice):
    """One number for all excerpts: salience ≥ threshold, in [0, 1.1], as in the paper."""

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

    Where the salience is constant no bin is salient, unless the area is all of them.
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
        chosen = "no bin" if threshold > 1 else f"salience {self.shown(threshold):g} or more"
        return f"best {100 * self.area:.6g} % of the area, here {chosen}"


@dataclass(frozen=True)
class Otsu(Choice):
    """The threshold that splits every excerpt's salience into the two classes with the greatest variance between them
    (Otsu, IEEE Trans. SMC 9, 1979), searched among all values rather than the bins of a histogram.
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
    """The greatest threshold of a grid from 1 down to 0 whose explanation keeps enough of the classifier's features.

    The features Φ (FC8 for SVDNet) may change by a share `error` of the change when nothing is kept:
    ‖Φ(masked x) − Φ(x)‖ ≤ error · ‖Φ(nothing) − Φ(x)‖.

    step: of the grid. Costs one forward pass per step from 1 down to an excerpt's threshold.
    """

    error: Share = 0.5
    step: Annotated[float, Field(gt=0, le=1)] = 0.02
    name = "reconstruction_error"
    of_tracks = False

    def __call__(self, explainer: Masking, excerpts: Tensor, salience: Tensor) -> Cut:
        features = explainer.classifier.features
        complete, salient = features(excerpts), torch.ones_like(salience, dtype=torch.bool)
        nothing = explainer.apply(excerpts, torch.zeros_like(salient))
        allowed = self.error * (features(nothing) - complete).norm(dim=1)
        searched = torch.arange(len(excerpts), device=complete.device)
        for number in range(round(1 / self.step), 0, -1):
            kept = salience[searched] >= number * self.step
            masked = explainer.apply(excerpts[searched], kept)
            near = (features(masked) - complete[searched]).norm(dim=1) <= allowed[searched]
            salient[searched[near]] = kept[near]
            searched = searched[~near]
            if not len(searched):
                break
        return Cut(salient, least_kept(salience, salient))

    def words(self, threshold: float) -> str:
        return f"threshold=reconstruction_error, explainer.error={self.error:g}, here {self.shown(threshold):g}"


def position(cut: float | Area) -> float:
    """The number by which cuts of one kind are ordered: the threshold, or the area."""
    return cut.area if isinstance(cut, Area) else cut


def least_kept(salience: Tensor, salient: Tensor) -> Tensor:
    """The least salience of the salient bins, [B]; LARGEST_THRESHOLD for an excerpt without any."""
    return torch.where(salient, salience, LARGEST_THRESHOLD).amin((1, 2))


def as_choice(threshold: float | Choice) -> Choice:
    """A number as the `Choice` of that fixed threshold. Raises: ConfigError outside [0, 1.1]."""
    return threshold if isinstance(threshold, Choice) else Fixed(threshold)
