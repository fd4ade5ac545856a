"""Masks of equal area: the classifier's labels for the best bins alone and for all other bins, and the masks' regions.

Bins with equal scores come in a random order, since a method does not distinguish them. In the order of the bins they
would be the earliest frames: a mask of its own, which suits some fills and excerpts.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import torch
from pydantic import AfterValidator
from torch import Tensor

from svdx.evaluation.predictions import MaskPredictor, predict_empty_mask
from svdx.explanation.explainer import Explainer
from svdx.explanation.masks import ranks
from svdx.explanation.seeding import excerpt_seed
from svdx.schema.checks import checked
from svdx.schema.types import Fill, ProperShare

TIES_SEED = 1  # differs from that of random bins


def _different(fills: list[Fill]) -> list[Fill]:
    if not fills or len(set(fills)) < len(fills):
        raise ValueError("one or more different fills")
    return fills


def _ascending(areas: list[float]) -> list[float]:
    if not areas or sorted(set(areas)) != areas:
        raise ValueError("ascending shares between 0 and 1")
    return areas


@checked
class EqualArea:
    """Keeps, for each area a, the a · frames · bands bins (rounded, at least one) of greatest score, or removes them.

    fills: for the other bins, see `masks.fill_value`; areas: shares of the bins, ascending

    Raises: ConfigError for unknown or repeated fills, and for areas that are not ascending between 0 and 1.
    """

    def __init__(
        self,
        fills: Annotated[list[Fill], AfterValidator(_different)],
        areas: Annotated[list[ProperShare], AfterValidator(_ascending)],
    ) -> None:
        self.fills, self.areas = list(fills), [float(area) for area in areas]

    def masks(self, rank: Tensor) -> Tensor:
        """The bins of each area, [A, B, frames, bands] bool; each mask contains the one before it.

        rank: of `tied_ranks`, [B, frames, bands]
        """
        n_bins = rank[0].numel()
        n_kept = torch.tensor([max(1, round(area * n_bins)) for area in self.areas], device=rank.device)
        return rank < n_kept[:, None, None, None]

    def predictors(self, explainer: Explainer, excerpts: Tensor, probability: Tensor) -> list[MaskPredictor]:
        """One per fill; all methods share them. probability: of the unmasked excerpts, [B]"""
        filling = [copy.copy(explainer) for _ in self.fills]  # the networks are shared
        for other, fill in zip(filling, self.fills, strict=True):
            other.fill = fill
        return [MaskPredictor(other, excerpts, probability, predict_empty_mask(other, excerpts)) for other in filling]

    def __call__(self, predictors: Sequence[MaskPredictor], masks: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities of singing with the bins of masks [A, B, frames, bands] kept, and with them removed, [F, A, B]
        each."""
        kept, removed = (torch.stack([predictor(some) for predictor in predictors]) for some in (masks, ~masks))
        return kept, removed


def drawn_order(excerpts: Tensor) -> Tensor:
    """A random order of the bins of each excerpt [B, frames, bands], independent of its batch; [B, bins]."""
    n_bins = excerpts[0].numel()
    generators = [torch.Generator().manual_seed(excerpt_seed(excerpt, TIES_SEED)) for excerpt in excerpts]
    return torch.stack([torch.randperm(n_bins, generator=one) for one in generators]).to(excerpts.device)


def tied_ranks(score: Tensor, order: Tensor) -> Tensor:
    """`masks.ranks` of scores [B, frames, bands], with bins of equal score in the order given [B, bins].

    >>> tied_ranks(torch.tensor([[[3.0, 1.0], [2.0, 2.0]]]), torch.tensor([[3, 0, 1, 2]]))
    tensor([[[0, 3],
             [2, 1]]])
    """
    in_order = ranks(score.flatten(1).gather(1, order)[:, None]).squeeze(1)
    return torch.empty_like(in_order).scatter_(1, order, in_order).view_as(score)


def regions(mask: np.ndarray) -> tuple[int, float]:
    """Number of connected components of a mask [frames, bands], bins that touch at a corner counted as connected, and
    the largest one's share of the mask; NaN for an empty mask.

    >>> regions(np.array([[1, 0, 0, 1], [0, 1, 0, 1]], bool))
    (2, 0.5)
    """
    from scipy.ndimage import label

    numbered, count = label(mask, structure=np.ones((3, 3)))
    sizes = np.bincount(numbered.ravel())[1:]
    return count, float(sizes.max() / sizes.sum()) if count else float("nan")


def count_regions(masks: np.ndarray) -> dict[str, np.ndarray]:
    """`regions` and `largest_region` of masks [A, B, frames, bands], [A, B] each."""
    found = np.array([[regions(mask) for mask in row] for row in masks])
    return {"regions": found[..., 0], "largest_region": found[..., 1]}
