"""Which excerpts make a batch: whole batches by index, shared by the processes of a training or an evaluation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Sampler

from svdx.data.seeds import derived_seed
from svdx.errors import ConfigError


class Batches(Sampler[Tensor]):
    """Numbers of the excerpts in each batch, [b], of which each process takes its share.

    Training shuffles, anew in each epoch, and drops the remainder. An epoch's order follows from the seed and its
    number alone, so that an update is over the same excerpts whatever the number of processes.

    n: how many excerpts; batch_size: of all processes together; rank, world: this process, how many there are
    Raises: ConfigError if a training batch cannot be shared equally, or there is not an excerpt for each process.
    """

    def __init__(
        self, n: int, batch_size: int, train: bool = False, seed: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        if batch_size < world or (train and batch_size % world):
            raise ConfigError(f"excerpts.batch_size={batch_size}: cannot be shared equally by {world} devices")
        self.n, self.batch_size, self.train, self.seed, self.rank, self.world = n, batch_size, train, seed, rank, world
        self.epoch = self.skipped = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; Lightning calls this before each epoch."""
        self.epoch = epoch

    def skip(self, batches: int) -> None:
        """Leave out the first batches of the epoch that is iterated over next."""
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
        whole, rest = divmod(self.n, self.batch_size)
        return whole + (not self.train and rest > self.rank)
