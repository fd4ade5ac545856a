"""The contract of every explanation method: excerpts in, an `Explanation` out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from svdx.errors import ConfigError, ScoreError
from svdx.explanation.masks import apply_mask, fill_value, normalise, relative_area, threshold_mask
from svdx.explanation.thresholds import Area, Choice, as_choice
from svdx.schema.checks import checked
from svdx.schema.types import Fill, Keep, PositiveFloat, Share, Threshold

Kind = TypeVar("Kind", bound="BaseExplanation")


class BaseExplanation:
    """The classifier's labels before and after masking, of one explanation or of many.

    A subclass is a frozen dataclass with these fields.

    probability, masked_probability: of singing, for the excerpts and for their explanations, [N]
    decision: a probability strictly above it means singing
    """

    probability: Tensor
    masked_probability: Tensor
    decision: float

    @property
    def vocal(self) -> Tensor:
        """The classifier's label of the excerpts, [N] bool."""
        return self.probability > self.decision

    @property
    def masked_vocal(self) -> Tensor:
        """The classifier's label of the explanations, [N] bool."""
        return self.masked_probability > self.decision

    @property
    def flipped(self) -> Tensor:
        """Whether masking changed the label, [N] bool; its mean is the explanation loss."""
        return self.vocal != self.masked_vocal

    def to(self: Kind, device: torch.device | str) -> Kind:
        """The same explanation on another device."""
        tensors = {name: part.to(device) for name, part in self._fields().items() if isinstance(part, Tensor)}
        return replace(self, **tensors)  # type: ignore[type-var]  # every subclass is a dataclass

    def arrays(self) -> dict[str, np.ndarray]:
        """Every field as a numpy array, by the name that it has in explanation.npz."""
        return {name: np.asarray(part) for name, part in self._fields().items()}

    def _fields(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]


@dataclass(frozen=True)
class Explanation(BaseExplanation):
    """Which bins of B excerpts a classifier listened to.

    excerpts: [B, frames, bands], standardised
    score: the method's score of every bin, [B, frames, bands]; for inversion, the inverted features
    salience: the score scaled to [0, 1] per excerpt
    mask: True where the excerpt is kept
    masked: the explanation itself, the excerpt with everything else filled
    probability, masked_probability: of singing, for the excerpt and for the explanation, [B]
    decision: a probability strictly above it means singing
    threshold: of the salience, [B]: the given number, or the least salience that a `Choice` marks as salient (1.1 if
        no bin is salient)
    """

    excerpts: Tensor
    score: Tensor
    salience: Tensor
    mask: Tensor
    masked: Tensor
    probability: Tensor
    masked_probability: Tensor
    decision: float
    threshold: Tensor

    @property
    def area(self) -> Tensor:
        """Share of kept bins, [B]."""
        return relative_area(self.mask)

    def arrays(self) -> dict[str, np.ndarray]:
        """Every field as a numpy array; the score is called `picture`, as in explanation.npz."""
        return {{"score": "picture"}.get(name, name): array for name, array in super().arrays().items()}


@checked
class Explainer(ABC):
    """Explains a frozen classifier. A subclass implements `score`: how much each bin matters.

    classifier: any module with `features(x)` and `forward(x)` → probability [B]. Its buffers `mean` and `std` (per
        band) are used by some fills; `threshold` is its decision threshold (default 0.5)
    threshold: of the salience, in [0, 1.1], or a `Choice`; None: the class's `default_threshold`
    area: instead of a threshold, the share of bins that are salient, in [0, 1]
    keep: salient or complement
    fill, floor: see `masks.fill_value`

    Raises: ConfigError for an option outside its range, or for both a threshold and an area.
    """

    name: str
    default_threshold: float | Choice = Area(0.1)  # the scores of two methods differ in distribution, areas do not

    def __init__(
        self,
        classifier: nn.Module,
        threshold: Threshold | Choice | None = None,
        keep: Keep = "salient",
        fill: Fill = "mean",
        floor: PositiveFloat = 1e-7,
        area: Share | None = None,
    ) -> None:
        default = self.default_threshold if area is None else Area(area)
        threshold = default if threshold is None else threshold
        self.classifier: Any = classifier  # its methods are those of the docstring
        self.threshold, self.keep, self.fill, self.floor = threshold, keep, fill, floor
        self.decision = float(getattr(classifier, "threshold", 0.5))

    @staticmethod
    def check_options(*, threshold: float | Choice | None, area: float | None, **_: object) -> None:
        if area is not None and threshold is not None:
            raise ConfigError(f"explainer.threshold={threshold} and explainer.area={area}: give one of them")

    @property
    def choice(self) -> Choice:
        """The rule that selects the salient bins."""
        return as_choice(self.threshold)

    @property
    def score_name(self) -> str:
        """What the score is, for titles of figures."""
        return f"score of explainer={self.name}"

    @abstractmethod
    def score(self, excerpts: Tensor) -> Tensor:
        """Score every bin of standardised excerpts, [B, frames, bands] → the same shape."""

    def score_and_predict(self, excerpts: Tensor) -> tuple[Tensor, Tensor]:
        """Scores of the excerpts and the classifier's probabilities [B]. A subclass may save a forward pass here."""
        return self.score(excerpts), self.classifier(excerpts)

    def salience(self, score: Tensor) -> Tensor:
        """Scale scores to [0, 1] per excerpt, see `normalise`. Raises: ScoreError where a score is not finite."""
        finite = score.isfinite().flatten(1).all(1)
        if not finite.all():
            message = f"explainer={self.name} gave a score that is NaN or infinite; check the networks' weights for NaN"
            raise ScoreError(message, number=int(finite.int().argmin()))
        return normalise(score)

    def networks(self) -> list[nn.Module]:
        """The classifier and the explainer's other networks."""
        return [part for part in vars(self).values() if isinstance(part, nn.Module)]

    def to(self, device: torch.device | str) -> Explainer:
        """Move the networks to a device. Excerpts must be on the same one."""
        for network in self.networks():
            network.to(device)
        return self

    def mask(self, salience: Tensor, threshold: float) -> Tensor:
        """Bins to keep at a fixed threshold: salience [B, frames, bands] in [0, 1] → bool."""
        return threshold_mask(salience, threshold, self.keep)

    def cut(self, excerpts: Tensor, salience: Tensor, threshold: float | Choice) -> tuple[Tensor, Tensor]:
        """Bins to keep at a number or by a `Choice`, bool [B, frames, bands], and the threshold [B]."""
        salient, cut = as_choice(threshold)(self, excerpts, salience)
        return salient if self.keep == "salient" else ~salient, cut

    def apply(self, excerpts: Tensor, mask: Tensor) -> Tensor:
        """Keep the excerpts where the mask is True and fill the rest."""
        bands = excerpts.new_zeros(excerpts.shape[-1])
        mean, std = getattr(self.classifier, "mean", bands), getattr(self.classifier, "std", bands + 1)
        return apply_mask(excerpts, mask, fill_value(self.fill, excerpts, mean, std, self.floor))

    @torch.no_grad()
    def __call__(self, excerpts: Tensor) -> Explanation:
        """Explain standardised excerpts, [B, frames, bands]."""
        score, probability = self.score_and_predict(excerpts)
        salience = self.salience(score)
        mask, threshold = self.cut(excerpts, salience, self.threshold)
        masked = self.apply(excerpts, mask)
        after = self.classifier(masked)
        return Explanation(excerpts, score, salience, mask, masked, probability, after, self.decision, threshold)

    @torch.no_grad()
    def at(self, explanation: Explanation, threshold: float | Choice) -> Explanation:
        """The same explanation with the mask of another threshold."""
        mask, cut = self.cut(explanation.excerpts, explanation.salience, threshold)
        masked = self.apply(explanation.excerpts, mask)
        after = self.classifier(masked)
        return replace(explanation, mask=mask, masked=masked, masked_probability=after, threshold=cut)
