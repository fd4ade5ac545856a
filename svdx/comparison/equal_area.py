"""Every method at the same areas: what the classifier says of the best bins alone, and of everything but them."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from svdx.errors import ConfigError
from svdx.evaluation.predictions import MaskPredictor, predict_empty_mask
from svdx.explain.explainer import Explainer
from svdx.explain.masks import FILLS


class EqualArea:
    """Keeps the a · frames · bands bins (rounded, one at least) of greatest score, for each area a; and removes them.

    fills: what may stand in the other bins, see `masks.fill_value`; areas: shares of the bins, ascending

    Raises: ConfigError
    """

    def __init__(self, fills: list[str], areas: list[float]) -> None:
        if not fills or len(set(fills)) < len(fills) or not set(fills) <= set(FILLS):
            expected = f"expected one or more different ones of {', '.join(FILLS)}"
            raise ConfigError(f"compare.equal_area.fills=[{','.join(fills)}]: {expected}")
        if not areas or sorted(set(areas)) != list(areas) or not (areas[0] > 0 and areas[-1] < 1):
            raise ConfigError(f"compare.equal_area.areas={areas}: expected ascending shares between 0 and 1")
        self.fills, self.areas = list(fills), [float(area) for area in areas]

    def masks(self, rank: Tensor) -> Tensor:
        """The bins of each area, [A, B, frames, bands] bool, each mask within the next.

        rank: of `ties.ranks`, [B, frames, bands]
        """
        n_bins = rank[0].numel()
        kept = torch.tensor([max(1, round(area * n_bins)) for area in self.areas], device=rank.device)
        return rank < kept[:, None, None, None]

    def predictors(self, explainer: Explainer, excerpts: Tensor, whole: Tensor) -> list[MaskPredictor]:
        """One a fill, to be shared by all methods. whole: probabilities of the excerpts as they are, [B]"""
        return [
            MaskPredictor(other, excerpts, whole, predict_empty_mask(other, excerpts))
            for other in (filling(explainer, fill) for fill in self.fills)
        ]

    def __call__(self, predictors: Sequence[MaskPredictor], masks: Tensor) -> tuple[Tensor, Tensor]:
        """Probabilities of singing with the masks [A, B, frames, bands] kept, and with them removed, [F, A, B] each."""
        kept, removed = (torch.stack([predictor(some) for predictor in predictors]) for some in (masks, ~masks))
        return kept, removed


def filling(explainer: Explainer, fill: str) -> Explainer:
    """The same explainer with another fill; the networks are shared."""
    other = copy.copy(explainer)
    other.fill = fill
    return other
