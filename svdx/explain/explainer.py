"""The contract of every explanation method: excerpts in, an `Explanation` out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from svdx.errors import ConfigError, ScoreError
from svdx.explain.masks import (
    FILLS,
    KEEPS,
    apply_mask,
    check_choice,
    fill_value,
    normalise,
    relative_area,
    threshold_mask,
)
from svdx.explain.thresholds import Area, Choice, Fixed

Here = TypeVar("Here", bound="Labels")


class Labels:
    """What an explanation of one excerpt and of many have in common: the labels before and after masking.

    A child is a dataclass with `probability` and `masked_probability` [N] and `decision`, which singing is above.
    """

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
        """Did the label change when only the region was kept? [N] bool; its mean is the explanation loss."""
        return self.vocal != self.masked_vocal

    def to(self: Here, device: torch.device | str) -> Here:
        """The same on another device."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: part.to(device) for name, part in parts.items() if isinstance(part, Tensor)})

    def arrays(self) -> dict[str, np.ndarray]:
        """Every field as a numpy array under its name."""
        return {field.name: np.asarray(getattr(self, field.name)) for field in fields(self)}


@dataclass(frozen=True)
class Explanation(Labels):
    """What a classifier listened to in B excerpts.

    excerpts: [B, frames, bands], standardised
    picture: the method's score of every bin, [B, frames, bands]; for inversion, the inverted features
    salience: the picture scaled to [0, 1] per excerpt
    mask: True where the excerpt is kept
    masked: the explanation itself, the excerpt with everything else filled
    probability, masked_probability: of singing, for the excerpt and for the explanation, [B]
    decision: a probability strictly above it means singing
    threshold: of the salience, [B]: the number that was given, or the least salience that a `Choice` found salient (1.1
        where it found none)
    """

    excerpts: Tensor
    picture: Tensor
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


class Explainer(ABC):
    """Explains a frozen classifier: a child says in `picture` how much each bin matters.

    classifier: any module with `features(x)` and `forward(x)` → probability [B]; its buffers `mean` and `std`
        (per band) are used where the fill asks for them, and `threshold` is its decision threshold (0.5 without)
    threshold: of the salience, in [0, 1.1], or what chooses it, see `thresholds`; None: the class' own,
        `default_threshold`; area: instead of a threshold, the share of the bins that is salient, in [0, 1]
    keep: salient or complement
    fill, floor: see `masks.fill_value`
    """

    name: str
    default_threshold: float | Choice = Area(0.1)  # scores of two methods are not spread alike, areas are

    def __init__(
        self,
        classifier: nn.Module,
        threshold: float | Choice | None = None,
        keep: str = "salient",
        fill: str = "mean",
        floor: float = 1e-7,
        area: float | None = None,
    ) -> None:
        if area is not None and threshold is not None:
            raise ConfigError(f"explainer.threshold={threshold} and explainer.area={area}: give one of them")
        own = self.default_threshold if area is None else Area(area)
        threshold = own if threshold is None else threshold
        chosen(threshold)  # refuses what is none
        check_choice("keep", keep, KEEPS)
        check_choice("fill", fill, FILLS)
        if not floor > 0:
            raise ConfigError(f"explainer.floor={floor}: expected more than 0")
        self.classifier, self.threshold, self.keep, self.fill, self.floor = classifier, threshold, keep, fill, floor
        self.decision = float(getattr(classifier, "threshold", 0.5))

    @property
    def choice(self) -> Choice:
        """What chooses the threshold."""
        return chosen(self.threshold)

    @property
    def score(self) -> str:
        """What its pictures show, in words."""
        return f"score of explainer={self.name}"

    @abstractmethod
    def picture(self, excerpts: Tensor) -> Tensor:
        """excerpts [B, frames, bands], standardised → score of every bin, the same shape."""

    def look(self, excerpts: Tensor) -> tuple[Tensor, Tensor]:
        """The excerpts' pictures and the classifier's probabilities [B]; a child may save a forward here."""
        return self.picture(excerpts), self.classifier(excerpts)

    def scaled(self, picture: Tensor) -> Tensor:
        """The pictures' salience, see `normalise`. Raises: ScoreError where a score is not finite."""
        finite = picture.isfinite().flatten(1).all(1)
        if not finite.all():
            said = f"explainer={self.name} gave a score that is NaN or infinite; are the networks' weights sound?"
            raise ScoreError(said, number=int(finite.int().argmin()))
        return normalise(picture)

    def networks(self) -> list[nn.Module]:
        """The classifier and whatever else computes."""
        return [part for part in vars(self).values() if isinstance(part, nn.Module)]

    def to(self, device: torch.device | str) -> Explainer:
        """Move the networks to a device; what is explained must lie there too."""
        for network in self.networks():
            network.to(device)
        return self

    def mask(self, salience: Tensor, threshold: float) -> Tensor:
        """salience [B, frames, bands] in [0, 1] → kept bins, bool, at a number."""
        return threshold_mask(salience, threshold, self.keep)

    def cut(self, excerpts: Tensor, salience: Tensor, threshold: float | Choice) -> tuple[Tensor, Tensor]:
        """Kept bins, bool, and the threshold [B], at a number or by a choice; see `Choice`."""
        salient, threshold = chosen(threshold)(self, excerpts, salience)
        return salient if self.keep == "salient" else ~salient, threshold

    def apply(self, excerpts: Tensor, mask: Tensor) -> Tensor:
        """Keep the excerpts' masked bins, fill the others."""
        bands = excerpts.new_zeros(excerpts.shape[-1])
        mean, std = getattr(self.classifier, "mean", bands), getattr(self.classifier, "std", bands + 1)
        return apply_mask(excerpts, mask, fill_value(self.fill, excerpts, mean, std, self.floor))

    @torch.no_grad()
    def __call__(self, excerpts: Tensor) -> Explanation:
        """Explain standardised excerpts, [B, frames, bands]."""
        picture, probability = self.look(excerpts)
        salience = self.scaled(picture)
        mask, threshold = self.cut(excerpts, salience, self.threshold)
        masked = self.apply(excerpts, mask)
        after = self.classifier(masked)
        return Explanation(excerpts, picture, salience, mask, masked, probability, after, self.decision, threshold)

    @torch.no_grad()
    def at(self, explanation: Explanation, threshold: float | Choice) -> Explanation:
        """The same explanation with the mask of another threshold."""
        mask, found = self.cut(explanation.excerpts, explanation.salience, threshold)
        masked = self.apply(explanation.excerpts, mask)
        after = self.classifier(masked)
        return replace(explanation, mask=mask, masked=masked, masked_probability=after, threshold=found)


def chosen(threshold: float | Choice) -> Choice:
    """A number as a choice. Raises: ConfigError."""
    return threshold if isinstance(threshold, Choice) else Fixed(threshold)
