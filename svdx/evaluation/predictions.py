"""The classifier's predictions for many masks of the same excerpts, without computing any of them twice."""

from __future__ import annotations

import torch
from torch import Tensor

from svdx.explanation.explainer import Explainer

CHUNK = 64  # masked excerpts per forward pass of the classifier


def empty_mask_differs(explainer: Explainer) -> bool:
    """Whether excerpts differ under the empty mask, because the explainer fills with a mean of the excerpt."""
    return explainer.fill == "excerpt-mean"


def predict_empty_mask(explainer: Explainer, excerpts: Tensor) -> Tensor:
    """Probabilities of singing if no bin of the excerpts [B, frames, bands] is kept, [B]."""
    different = excerpts if empty_mask_differs(explainer) else excerpts[:1]
    empty = explainer.apply(different, torch.zeros_like(different, dtype=torch.bool))
    return explainer.classifier(empty).expand(len(excerpts))


class MaskPredictor:
    """A callable from masks to the classifier's probabilities for the masked excerpts.

    The full and the empty mask, and a mask that equals the one before it, cost no forward pass.

    explainer: provides fill and classifier
    excerpts: [B, frames, bands], standardised
    full, empty: probabilities under the full and the empty mask, [B]

    Shape:
        masks [T, B, frames, bands] bool → probabilities [T, B]
    """

    def __init__(self, explainer: Explainer, excerpts: Tensor, full: Tensor, empty: Tensor) -> None:
        self.explainer, self.excerpts, self.full, self.empty = explainer, excerpts, full, empty

    def __call__(self, masks: Tensor, earlier: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """earlier: masks of the same shape whose predictions exist already, and these predictions [T, B]."""
        n_kept = masks.flatten(2).sum(2)
        is_new = (n_kept > 0) & (n_kept < masks[0, 0].numel())
        predictions = torch.where(n_kept > 0, self.full, self.empty)
        if earlier is not None:
            same = is_new & (masks == earlier[0]).flatten(2).all(2)
            predictions, is_new = torch.where(same, earlier[1], predictions), is_new & ~same
        repeated = torch.zeros_like(is_new)
        repeated[1:] = is_new[1:] & (masks[1:] == masks[:-1]).flatten(2).all(2)
        for points in (is_new & ~repeated).nonzero().split(CHUNK):
            threshold, number = points.T
            masked = self.explainer.apply(self.excerpts[number], masks[threshold, number])
            predictions[threshold, number] = self.explainer.classifier(masked)
        for row in range(1, len(masks)):
            predictions[row] = torch.where(repeated[row], predictions[row - 1], predictions[row])
        return predictions
