"""Batches of one and of several processes, resident excerpts and derived seeds."""

from itertools import chain, product

import pytest
import torch

from svdx.data.batches import Batches, derived_seed
from svdx.data.excerpts import Excerpts, ResidentExcerpts, every
from svdx.errors import ConfigError


def test_evaluation_is_in_order_and_leaves_nothing_out():
    assert [batch.tolist() for batch in Batches(5, 2)] == [[0, 1], [2, 3], [4]]


@pytest.mark.parametrize("n", [1, 2, 4, 7, 8, 9])
@pytest.mark.parametrize("world", [1, 2, 3])
def test_processes_share_every_excerpt_once(n, world):
    shares = [Batches(n, 4, rank=rank, world=world) for rank in range(world)]
    assert sorted(chain.from_iterable(batch.tolist() for share in shares for batch in share)) == list(range(n))
    assert [len(share) for share in shares] == [len(list(share)) for share in shares]


def test_training_batches_are_the_same_whatever_the_number_of_processes():
    options = dict(train=True, seed=3)
    alone = list(Batches(11, 4, **options))
    first, second = (list(Batches(11, 4, **options, rank=rank, world=2)) for rank in (0, 1))
    assert len(alone) == len(first) == len(second) == len(Batches(11, 4, **options)) == 2
    for batch, *shares in zip(alone, first, second, strict=True):
        assert sorted(batch.tolist()) == sorted(torch.cat(shares).tolist())
        assert [len(share) for share in shares] == [2, 2]


def test_training_batches_must_be_shared_equally():
    with pytest.raises(ConfigError, match="batch_size=32: cannot be shared equally by 3 devices"):
        Batches(100, 32, train=True, world=3)
    with pytest.raises(ConfigError, match="batch_size=1: cannot"):
        Batches(100, 1, world=2)


@pytest.mark.parametrize("features", [False, True])
def test_resident_batches_equal_those_read_from_files(tiny_corpus, tiny_store, features):
    tracks = tiny_store.prepare(tiny_corpus.split("train"))
    excerpts = Excerpts(tiny_store, tracks, every([163, 163], 7), 115)
    excerpts.features = torch.randn(len(excerpts), 64) if features else None
    resident, numbers = ResidentExcerpts(excerpts, torch.device("cpu")), torch.tensor([0, 30, 12])
    batch, expected = resident[numbers], excerpts[numbers]
    assert set(batch) == set(expected)
    for name, values in expected.items():
        assert torch.equal(batch[name], values), name


def test_excerpts_are_not_resident_on_a_cpu(tiny_corpus, tiny_store):
    tracks = tiny_store.prepare(tiny_corpus.split("train"))
    assert not ResidentExcerpts.fits(Excerpts(tiny_store, tracks, every([163], 7), 115), torch.device("cpu"))


@pytest.mark.parametrize("free, fits", [(10**6, True), (10**5, False)])
def test_excerpts_are_resident_if_they_fit_half_of_the_gpu_memory(tiny_corpus, tiny_store, monkeypatch, free, fits):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    tracks = tiny_store.prepare(tiny_corpus.split("train"))  # 2 x 277 frames: 177 kB
    assert ResidentExcerpts.fits(Excerpts(tiny_store, tracks, every([163], 7), 115), torch.device("cuda")) == fits


def test_derived_seeds_differ_and_are_valid_in_torch():
    seeds = {derived_seed(seed, epoch) for seed, epoch in product(range(50), range(50))}
    assert len(seeds) == 2500 and len({derived_seed(1, 23), derived_seed(12, 3), derived_seed(123)}) == 3
    for seed in seeds:
        torch.Generator().manual_seed(seed)


def test_orders_differ_between_epochs_and_seeds():
    orders = set()
    for seed in range(5):
        batches = Batches(64, 32, train=True, seed=seed)
        for epoch in range(5):
            batches.set_epoch(epoch)
            orders.add(tuple(torch.cat(list(batches)).tolist()))
    assert len(orders) == 25
