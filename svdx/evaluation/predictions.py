"""The classifier's answers to many masks of the same excerpts, none of which it is asked for twice."""

from __future__ import annotations

import torch
from torch import Tensor

from svdx.explain.explainer import Explainer

CHUNK = 64  # masked excerpts that the classifier hears at once


def own_nothing(explainer: Explainer) -> bool:
    """Does each excerpt have an empty explanation of its own? Else what the fill leaves is the same for all."""
    return explainer.fill == "excerpt-mean"


def hear_nothing(explainer: Explainer, excerpts: Tensor) -> Tensor:
    """Probabilities of singing where nothing of the excerpts [B, frames, bands] is kept, [B]."""
    different = excerpts if own_nothing(explainer) else excerpts[:1]
    nothing = explainer.apply(different, torch.zeros_like(different, dtype=torch.bool))
    return explainer.classifier(nothing).expand(len(excerpts))


class Hearing:
    """A callable from masks to the probabilities of the masked excerpts.

    The full and the empty mask are not heard again, nor is a mask that equals the one before it.

    explainer: whose fill and classifier; excerpts: [B, frames, bands], standardised
    whole, nothing: probabilities where all of the excerpts is kept, and where nothing is, [B]

    Shape:
        masks [T, B, frames, bands] bool → probabilities [T, B]
    """

    def __init__(self, explainer: Explainer, excerpts: Tensor, whole: Tensor, nothing: Tensor) -> None:
        self.explainer, self.excerpts, self.whole, self.nothing = explainer, excerpts, whole, nothing

    def __call__(self, masks: Tensor, known: Tensor | None = None, answers: Tensor | None = None) -> Tensor:
        """known: masks of the same shape that were heard already, answers: to them, [T, B]."""
        kept = masks.flatten(2).sum(2)
        new = (kept > 0) & (kept < masks[0, 0].numel())
        heard = torch.where(kept > 0, self.whole, self.nothing)
        if known is not None:
            same = new & (masks == known).flatten(2).all(2)
            heard, new = torch.where(same, answers, heard), new & ~same
        repeated = torch.zeros_like(new)
        repeated[1:] = new[1:] & (masks[1:] == masks[:-1]).flatten(2).all(2)
        for points in (new & ~repeated).nonzero().split(CHUNK):
            threshold, number = points.T
            masked = self.explainer.apply(self.excerpts[number], masks[threshold, number])
            heard[threshold, number] = self.explainer.classifier(masked)
        for now in range(1, len(masks)):
            heard[now] = torch.where(repeated[now], heard[now - 1], heard[now])
        return heard
