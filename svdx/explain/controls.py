"""Controls: regions that owe nothing to the classifier, to be kept at the same area as an explanation."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from svdx.errors import ConfigError
from svdx.explain.masks import largest_mask


class Control(ABC):
    """A callable from excerpts and an explanation's masks to masks that keep just as many bins of each excerpt.

    What is random comes from the seed and the excerpt itself, whatever batch it is in.

    Shape:
        excerpts [B, frames, bands], masks [T, B, frames, bands] bool → masks [T, B, frames, bands] bool
    """

    name: str

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    @abstractmethod
    def score(self, excerpts: Tensor) -> Tensor:
        """excerpts [B, frames, bands] → what decides which bins are kept first, the same shape."""

    def __call__(self, excerpts: Tensor, masks: Tensor) -> Tensor:
        score = self.score(excerpts)
        return torch.stack([largest_mask(score, mask.flatten(1).sum(1)) for mask in masks])

    def _random(self, excerpts: Tensor, *shape: int) -> Tensor:
        """Numbers from [0, 1) for every excerpt, [B, *shape]."""
        drawn = []
        for excerpt in excerpts.cpu():
            seed = zlib.crc32(excerpt.contiguous().numpy().tobytes(), self.seed)
            drawn.append(torch.rand(shape, generator=torch.Generator().manual_seed(seed)))
        return torch.stack(drawn).to(excerpts.device)


class RandomBins(Control):
    """Bins anywhere."""

    name = "random"

    def score(self, excerpts: Tensor) -> Tensor:
        return self._random(excerpts, *excerpts.shape[1:])


class RandomBlocks(Control):
    """Whole blocks of a grid over time and frequency in random order, the last one in part (from its beginning).

    rows, columns: of the grid, in time and in frequency; 6 × 4 = 24 blocks, as many as the authors' control had
    """

    name = "random_blocks"

    def __init__(self, seed: int = 0, rows: int = 6, columns: int = 4) -> None:
        super().__init__(seed)
        self.rows, self.columns = rows, columns

    def score(self, excerpts: Tensor) -> Tensor:
        _, frames, bands = excerpts.shape
        row = torch.arange(frames, device=excerpts.device) * self.rows // frames
        column = torch.arange(bands, device=excerpts.device) * self.columns // bands
        return self._random(excerpts, self.rows, self.columns)[:, row[:, None], column]


class Loudest(Control):
    """The bins in which the excerpt itself is loudest, against the training mean of their band."""

    name = "energy"

    def score(self, excerpts: Tensor) -> Tensor:
        return excerpts


CONTROLS = {control.name: control for control in (RandomBins, RandomBlocks, Loudest)}


def make_controls(names: Sequence[str], seed: int) -> list[Control]:
    """Controls by name. Raises: ConfigError."""
    unknown = [name for name in names if name not in CONTROLS]
    if unknown:
        raise ConfigError(f"controls={unknown}: expected some of {', '.join(CONTROLS)}")
    return [CONTROLS[name](seed) for name in names]
