"""Extremal perturbations: the smooth mask of a given area that keeps most evidence for the label."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from svdx.explanation.evidence import evidence, recording
from svdx.explanation.explainer import Explainer
from svdx.schema.checks import checked
from svdx.schema.types import PositiveFloat, PositiveInt, ProperShare

AREAS = [0.05, 0.1, 0.2, 0.4]
TEMPERATURE = 1 / 20  # of the smooth maximum, the paper's


@checked
class ExtremalMask(Explainer):
    """Masks that maximise the evidence for the predicted class, one for each of several areas, and their sum (Fong,
    Patrick and Vedaldi, Understanding deep networks via extremal perturbations and smooth masks, ICCV 2019).

    m_a = argmax f(m · x + (1 − m) · fill) − λ R_a(m), where f is the log-odds of the predicted class and R_a the mean
    squared difference between the sorted mask and the sorted binary mask of area a: zeros, then a share a of ones. The
    mask is painted from a coarse grid (see `paint`), so that it is smooth; λ grows exponentially, so that it becomes
    binary. Unlike the paper, Adam does the ascent, since it needs few steps. The sum over areas gives one ranking: a
    bin that the smallest area needs comes first. Each excerpt is optimised alone, because rounding depends on the batch
    and so many steps would amplify it.

    areas: shares of the bins; steps: forward and backward passes per area; rate: of Adam
    stride: bins per cell of the grid
    weight, growth: λ in the first step, and the ratio of λ in the last step to it
    """

    name = "extremal"

    def __init__(
        self,
        classifier: nn.Module,
        areas: Annotated[list[ProperShare], Field(min_length=1)] = AREAS,
        steps: PositiveInt = 20,
        rate: PositiveFloat = 0.2,
        stride: PositiveInt = 5,
        weight: PositiveFloat = 30.0,
        growth: PositiveFloat = 30.0,
        **options,
    ) -> None:
        super().__init__(classifier, **options)
        self.areas, self.steps, self.rate, self.stride = list(areas), steps, rate, stride
        self.weight, self.growth = weight, growth

    def score(self, excerpts: Tensor) -> Tensor:
        with recording():
            return torch.cat([self.masks(excerpt.clone()) for excerpt in excerpts.split(1)])

    def masks(self, excerpts: Tensor) -> Tensor:
        """The sum of the masks of all areas, [B, frames, bands]. Gradients must be enabled."""
        total = self.extremal(excerpts, self.areas[0])
        for area in self.areas[1:]:
            total = total + self.extremal(excerpts, area)
        return total

    def extremal(self, excerpts: Tensor, area: float) -> Tensor:
        """The masks of one area, [B, frames, bands] from 0 to 1. Gradients must be enabled."""
        _, frames, bands = excerpts.shape
        vocal = (self.classifier(excerpts) > self.decision).detach()
        filled = self.apply(excerpts, torch.zeros_like(excerpts, dtype=torch.bool))
        cells = [-(-size // self.stride) for size in (frames, bands)]
        grid = excerpts.new_full((len(excerpts), *cells), 0.5).requires_grad_()
        adam = torch.optim.Adam([grid], self.rate)
        for step in range(self.steps):
            mask = paint(grid, frames, bands)
            kept = evidence(self.classifier, filled + mask * (excerpts - filled), vocal)
            weight = self.weight * self.growth ** (step / max(self.steps - 1, 1))
            cost = weight * area_cost(mask, area) - kept
            (grid.grad,) = torch.autograd.grad(cost.sum(), grid)
            adam.step()
            grid.data.clamp_(0, 1)
        return paint(grid, frames, bands).detach()


def area_cost(masks: Tensor, area: float) -> Tensor:
    """R_a of masks [B, frames, bands], [B]: 0 for a mask with a share `area` of ones among zeros.

    >>> area_cost(torch.tensor([[[0.0, 1.0], [0.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]]]), 0.25)
    tensor([0.0000, 0.2500])
    """
    ascending = masks.flatten(1).sort(1).values
    n = ascending.shape[1]
    binary = torch.arange(n, device=masks.device) >= n - round(area * n)
    return (ascending - binary.to(masks)).square().mean(1)


def paint(grid: Tensor, frames: int, bands: int) -> Tensor:
    """A coarse grid [B, rows, columns] → masks [B, frames, bands]: smooth, and 1 near cells that are 1.

    The value of a bin is the smooth maximum of k(d) · cell over all cells, d being the distance to the cell, counted in
    cells: first along the bands, then along the frames, which for a maximum is the same as over both at once.
    """
    over_frames = kernel(frames, grid.shape[1]).to(grid)
    over_bands = kernel(bands, grid.shape[2]).to(grid)
    rows = smooth_maximum(grid[:, :, None] * over_bands, 3)
    return smooth_maximum(rows[:, None] * over_frames[:, :, None], 2)


def kernel(n: int, cells: int) -> Tensor:
    """k(d) = exp(−max(0, d − 1)² / 4), the paper's profile, between n bins and the cells among them, [n, cells]."""
    bins, centres = torch.arange(n) + 0.5, (torch.arange(cells) + 0.5) * n / cells
    distance = (bins[:, None] - centres).abs() * cells / n
    return torch.exp(-(distance - 1).clamp_min(0).square() / 4)


def smooth_maximum(values: Tensor, dim: int) -> Tensor:
    """Mean of the values along a dimension, weighted by exp(value / T)."""
    return (values * torch.softmax(values / TEMPERATURE, dim)).sum(dim)
