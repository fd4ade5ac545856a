"""No sum of a seed and a number: runs of neighbouring seeds share nothing."""

from itertools import product

import torch

from svdx.data.batches import Batches
from svdx.data.seeds import derived_seed


def test_every_pair_has_a_seed_of_its_own_that_torch_takes():
    seeds = {derived_seed(seed, epoch) for seed, epoch in product(range(50), range(50))}
    assert len(seeds) == 2500 and len({derived_seed(1, 23), derived_seed(12, 3), derived_seed(123)}) == 3
    for seed in seeds:
        torch.Generator().manual_seed(seed)


def test_no_epoch_of_a_seed_has_the_order_of_another_epoch_or_seed():
    orders = set()
    for seed in range(5):
        batches = Batches(64, 32, train=True, seed=seed)
        for epoch in range(5):
            batches.set_epoch(epoch)
            orders.add(tuple(torch.cat(list(batches)).tolist()))
    assert len(orders) == 25
