"""The order of bins with equal scores is drawn: an explanation that is the same in many bins has said nothing of them.

Taken in the order of the bins they would be the earliest frames, a mask of its own that some fills and excerpts reward.
"""

from __future__ import annotations

import torch
from torch import Tensor

from svdx.explain import masks
from svdx.explain.chance import seed_of

SEED = 1  # not that of random bins


def drawn_order(excerpts: Tensor) -> Tensor:
    """A random order of the bins of each excerpt [B, frames, bands], its own in whatever batch it is; [B, bins]."""
    n_bins = excerpts[0].numel()
    generators = [torch.Generator().manual_seed(seed_of(excerpt, SEED)) for excerpt in excerpts]
    return torch.stack([torch.randperm(n_bins, generator=one) for one in generators]).to(excerpts.device)


def ranks(score: Tensor, order: Tensor) -> Tensor:
    """`masks.ranks` of scores [B, frames, bands], but of equal scores first what is first in `order` [B, bins].

    >>> ranks(torch.tensor([[[3.0, 1.0], [2.0, 2.0]]]), torch.tensor([[3, 0, 1, 2]]))
    tensor([[[0, 3],
             [2, 1]]])
    """
    placed = masks.ranks(score.flatten(1).gather(1, order)[:, None]).squeeze(1)
    return torch.empty_like(placed).scatter_(1, order, placed).view_as(score)
