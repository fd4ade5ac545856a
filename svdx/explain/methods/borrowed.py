"""Borrowed explanations: controls that show what other excerpts have been heard by."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from svdx.explain.masks import normalise
from svdx.explain.methods.controls import Control
from svdx.explain.methods.inversion import invert

BATCH = 32  # examples at a time


class Borrowed(Control):
    """A control that knows the inversion's saliences of training excerpts and each one's label, made at first use.

    inverter: as in `FeatureInversion`; examples: [N, frames, bands], standardised
    """

    def __init__(self, classifier: nn.Module, inverter: nn.Module, examples: Tensor, **options) -> None:
        super().__init__(classifier, **options)
        self.inverter, self.examples = inverter, examples
        self._known: tuple[Tensor, Tensor] | None = None

    def known(self, excerpts: Tensor) -> tuple[Tensor, Tensor]:
        """The examples' saliences [N, frames, bands] and labels [N] bool, where the excerpts are."""
        if self._known is None:
            batches = self.examples.to(excerpts).split(BATCH)
            saliences = [normalise(invert(self.classifier, self.inverter, batch)) for batch in batches]
            labels = [self.classifier(batch) > self.decision for batch in batches]
            self._known = torch.cat(saliences), torch.cat(labels)
        saliences, labels = self._known
        return saliences.to(excerpts), labels.to(excerpts.device)

    def candidates(self, excerpts: Tensor) -> Tensor:
        """Which examples have each excerpt's predicted label and are not the excerpt itself, [B, N] bool; all where
        there are none."""
        vocal = self.classifier(excerpts) > self.decision
        same = vocal[:, None] == self.known(excerpts)[1]
        others = torch.stack([(self.examples.to(excerpt) != excerpt).any(2).any(1) for excerpt in excerpts])
        return same & others | ~(same & others).any(1, keepdim=True)


class ClassMeanMask(Borrowed):
    """The mean of the inversion's saliences over the examples that the classifier gives the same label: what any
    excerpt of that label is heard by.
    """

    name = "class_mean_mask"

    def score(self, excerpts: Tensor) -> Tensor:
        weights = self.candidates(excerpts).to(excerpts)
        return torch.einsum("bn,nfm->bfm", weights / weights.sum(1, keepdim=True), self.known(excerpts)[0])


class OtherTrackMask(Borrowed):
    """The inversion's salience of another excerpt that has the same label: an example, drawn at random.

    It is of another track unless what is explained is a training track.
    """

    name = "other_track_mask"

    def score(self, excerpts: Tensor) -> Tensor:
        candidates = self.candidates(excerpts)
        drawn = self._random(excerpts, len(self.examples)).where(candidates, -1).argmax(1)
        return self.known(excerpts)[0][drawn]
