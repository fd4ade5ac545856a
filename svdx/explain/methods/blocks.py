"""A grid of blocks over time and frequency."""

from __future__ import annotations

import torch
from torch import Tensor


def blocks(frames: int, bands: int, rows: int, columns: int, device: torch.device | str = "cpu") -> Tensor:
    """The number of every bin's block, row by row, in a grid of equal blocks, [frames, bands].

    rows, columns: of the grid, in time and in frequency

    >>> blocks(2, 6, rows=2, columns=3).tolist()
    [[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]]
    """
    row = torch.arange(frames, device=device) * rows // frames
    column = torch.arange(bands, device=device) * columns // bands
    return row[:, None] * columns + column
