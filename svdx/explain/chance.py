"""Chance that belongs to an excerpt: the same for the same excerpt and seed, whatever batch it is in."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def seed_of(excerpt: Tensor, seed: int) -> int:
    """A seed for an excerpt [frames, bands] alone."""
    return zlib.crc32(excerpt.detach().cpu().contiguous().numpy().tobytes(), seed)


@contextmanager
def own_chance(excerpt: Tensor, seed: int) -> Iterator[None]:
    """While torch's global generators draw what belongs to an excerpt; afterwards they go on as if nothing was drawn.

    A GPU draws other numbers than the CPU does.
    """
    own = seed_of(excerpt, seed)
    with torch.random.fork_rng([excerpt.device] if excerpt.is_cuda else []):
        torch.default_generator.manual_seed(own)
        if excerpt.is_cuda:
            torch.cuda.default_generators[excerpt.device.index].manual_seed(own)
        yield
