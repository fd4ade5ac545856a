"""From a score to a mask and a masked excerpt: pure functions, after section III-B and equation 4 of the paper.

A mask is 1 where the input is **kept**. Excerpts and masks are [B, frames, bands].
"""

from __future__ import annotations

import math
from numbers import Real
from typing import get_args

import torch
from torch import Tensor

from svdx.errors import ConfigError
from svdx.schema.types import LARGEST_THRESHOLD, Fill, Keep

FILLS, KEEPS = get_args(Fill), get_args(Keep)


def normalise(score: Tensor) -> Tensor:
    """Scale the score of every excerpt to [0, 1] by its own minimum and maximum. A constant score becomes 0 everywhere;
    one with NaN or infinity keeps a NaN, see `Explainer.salience`.

    >>> normalise(torch.tensor([[[-1.0, 0.0, 1.0]]]))
    tensor([[[0.0000, 0.5000, 1.0000]]])
    """
    low, high = score.amin((1, 2), keepdim=True), score.amax((1, 2), keepdim=True)
    return torch.where(high == low, 0.0, (score - low) / (high - low))


def threshold_mask(salience: Tensor, threshold: float, keep: str = "salient") -> Tensor:
    """Bins to keep, bool: those with salience ≥ threshold, or the others if keep="complement".

    Raises: ConfigError for a threshold outside [0, 1.1] or an unknown `keep`.
    """
    check_threshold(threshold)
    check_choice("keep", keep, KEEPS)
    salient = salience >= threshold
    return salient if keep == "salient" else ~salient


def check_threshold(threshold: float, key: str = "explainer.threshold") -> None:
    """Raises ConfigError unless the threshold is a number from 0 to 1.1. key: of the configuration, for the message"""
    number = isinstance(threshold, Real) and not isinstance(threshold, bool)
    if not (number and 0 <= threshold <= LARGEST_THRESHOLD):
        raise ConfigError(f"{key}: {threshold} is outside [0, {LARGEST_THRESHOLD}]")


def check_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    """Raises ConfigError unless value is one of the choices for explainer.key."""
    if value not in choices:
        raise ConfigError(f"explainer.{key}={value}: expected {', '.join(choices[:-1])} or {choices[-1]}")


def fill_value(fill: str, excerpts: Tensor, mean: Tensor, std: Tensor, floor: float) -> Tensor:
    """Values for the masked bins of standardised excerpts [B, frames, bands]: [bands] or [B, 1, bands].

    mean: the training mean (0 when standardised), the paper's M1; zero: 0 in raw log-mel, the paper's M2;
    floor: silence, the logarithm of the least magnitude, `floor`; excerpt-mean: the excerpt's own mean in each band.
    """
    check_choice("fill", fill, FILLS)
    if fill == "mean":
        return torch.zeros_like(mean)
    if fill == "excerpt-mean":
        return excerpts.mean(1, keepdim=True)
    raw = math.log(floor) if fill == "floor" else 0.0
    return (raw - mean) / std


def apply_mask(excerpts: Tensor, mask: Tensor, fill: Tensor) -> Tensor:
    """Keep the excerpts where the mask is 1, and the fill elsewhere; equation 4 for fill = 0."""
    return torch.where(mask, excerpts, fill)


def largest_mask(score: Tensor, n_kept: Tensor) -> Tensor:
    """The n_kept [B] bins of greatest score of every excerpt, bool; of equal scores the first.

    >>> largest_mask(torch.tensor([[[3.0, 1.0], [2.0, 2.0]]]), torch.tensor([2])).int()
    tensor([[[1, 0],
             [1, 0]]], dtype=torch.int32)
    """
    return ranks(score) < n_kept[:, None, None]


def ranks(score: Tensor) -> Tensor:
    """Rank of each bin in its excerpt, 0 for the greatest score, [B, frames, bands]; equal scores rank in order.

    >>> ranks(torch.tensor([[[3.0, 1.0], [2.0, 2.0]]]))
    tensor([[[0, 3],
             [1, 2]]])
    """
    return score.flatten(1).argsort(dim=1, descending=True, stable=True).argsort(dim=1).view_as(score)


def same_area(score: Tensor, masks: Tensor) -> Tensor:
    """Masks by another score [B, frames, bands] that keep as many bins of each excerpt as `masks` do, [T, B, frames,
    bands] bool."""
    rank, n_kept = ranks(score), masks.flatten(2).sum(2)
    return rank < n_kept[:, :, None, None]


def relative_area(mask: Tensor) -> Tensor:
    """Share of kept bins, [B] in [0, 1]."""
    return mask.float().mean((1, 2))
