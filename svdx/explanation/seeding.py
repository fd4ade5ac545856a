"""Random numbers that depend on the excerpt and a seed alone, so that the batch of an excerpt does not matter."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def excerpt_seed(excerpt: Tensor, seed: int) -> int:
    """A seed derived from an excerpt [frames, bands] and a seed."""
    return zlib.crc32(excerpt.detach().cpu().contiguous().numpy().tobytes(), seed)


@contextmanager
def seeded(excerpt: Tensor, seed: int) -> Iterator[None]:
    """Seed torch's global generators by `excerpt_seed`, and restore their states afterwards.

    A GPU draws other numbers than the CPU.
    """
    with torch.random.fork_rng([excerpt.device] if excerpt.is_cuda else []):
        torch.default_generator.manual_seed(excerpt_seed(excerpt, seed))
        if excerpt.is_cuda:
            torch.cuda.default_generators[excerpt.device.index].manual_seed(excerpt_seed(excerpt, seed))
        yield
