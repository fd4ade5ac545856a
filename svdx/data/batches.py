"""The sampler that composes batches and shares them among processes, and derived random seeds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler

from svdx.errors import ConfigError


def derived_seed(*parts: int) -> int:
    """A 64-bit seed for `torch.Generator` that depends on every part and on their order.

    Unlike sums of a seed and an index, derived seeds do not coincide for neighbouring seeds.

    >>> derived_seed(0, 1) == derived_seed(1, 0)
    False
    """
    return int.from_bytes(hashlib.sha256(" ".join(map(str, parts)).encode()).digest()[:8], "big")


class Batches(Sampler[Tensor]):
    """Yields the indices of the excerpts in each batch, [b], of which each process takes its share.

    Training shuffles in every epoch and drops the last incomplete batch. The order follows from the seed and the
    number of the epoch, so that an update uses the same excerpts whatever the number of processes.

    n: number of excerpts
    batch_size: of all processes together
    rank, world: index of this process and number of processes

    Raises: ConfigError if training batches cannot be shared equally, or if batch_size < world.
    """

    def __init__(
        self, n: int, batch_size: int, train: bool = False, seed: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        if batch_size < world or (train and batch_size % world):
            raise ConfigError(f"excerpts.batch_size={batch_size}: cannot be shared equally by {world} devices")
        self.n, self.batch_size, self.train, self.seed, self.rank, self.world = n, batch_size, train, seed, rank, world
        self.epoch = self.skipped = 0

    def set_epoch(self, epoch: int) -> None:
        """Select the order of the epoch; Lightning calls this before each epoch."""
        self.epoch = epoch

    def skip(self, batches: int) -> None:
        """Skip the first batches of the next epoch, in order to resume within it."""
        self.skipped = batches

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.arange(self.n)
        if self.train:
            order = torch.randperm(self.n, generator=torch.Generator().manual_seed(derived_seed(self.seed, self.epoch)))
        batches = order.split(self.batch_size)[: self.n // self.batch_size if self.train else None]
        skipped, self.skipped = self.skipped, 0
        for batch in batches[skipped:]:
            if len(batch) > self.rank:
                yield batch[self.rank :: self.world]

    def __len__(self) -> int:
        n_complete, rest = divmod(self.n, self.batch_size)
        return n_complete + (not self.train and rest > self.rank)
