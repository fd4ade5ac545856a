"""Batches of the data module for training and evaluation."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from svdx.data.augment import Augment
from svdx.data.cache import MelStore, statistics
from svdx.data.datamodule import ExcerptsData
from svdx.errors import ConfigError, CorpusError


@pytest.fixture
def data(tiny_corpus, tiny_store):
    def make(stage="fit", corpus=tiny_corpus, **options):
        module = ExcerptsData(corpus, tiny_store, **{"batch_size": 4, "hop": 10, **options})
        module.setup(stage)
        return module

    return make


def identity(batch):
    """The excerpts of a batch, as (track, first value) pairs."""
    return list(zip(batch["track"].tolist(), batch["logmel"][:, 0, 0].tolist(), strict=True))


def test_standardisation_is_that_of_the_training_frames(data, tiny_corpus, tiny_store):
    mean, std = data().standardisation()
    frames = np.concatenate([tiny_store.logmel(track) for track in tiny_corpus.split("train")]).astype(np.float64)
    assert len(frames) == 2 * 277
    assert mean.dtype == std.dtype == torch.float32
    np.testing.assert_allclose(mean.numpy(), frames.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(std.numpy(), frames.std(axis=0, ddof=1), rtol=1e-6)


def test_a_band_that_never_changes_has_deviation_one():
    mean, std = statistics([np.array([[-16.1, 0.0]]), np.array([[-16.1, 2.0], [-16.1, 4.0]])])
    assert mean.tolist() == pytest.approx([-16.1, 2.0])
    assert std.tolist() == pytest.approx([1.0, 2.0])


def test_cached_features_are_those_computed_live(data):
    projection = torch.randn(80, 64)

    def features_of(logmel):
        return logmel.mean(1) @ projection

    def features_at(track, starts):
        return features_of(track.unfold(0, 115, 1)[starts].mT)

    live, cached = data(features="live"), data(features="cached")
    for module in (live, cached):
        module.cache_features(features_at, torch.device("cpu"))
    for loader in ("train_dataloader", "val_dataloader"):
        torch.manual_seed(3)
        batches = list(getattr(live, loader)())
        torch.manual_seed(3)
        for computed, stored in zip(batches, getattr(cached, loader)(), strict=True):
            assert "features" not in computed
            assert torch.equal(computed["logmel"], stored["logmel"])
            torch.testing.assert_close(stored["features"], features_of(computed["logmel"]))


def test_training_drops_the_remainder_and_validation_does_not(data):
    module = data(valid_hop=10)
    assert len(module.train_set) == 2 * 17
    assert len(module.valid_set) == 17
    assert [len(batch["vocal"]) for batch in module.train_dataloader()] == [4] * 8
    assert [len(batch["vocal"]) for batch in module.val_dataloader()] == [4, 4, 4, 4, 1]


def test_every_epoch_draws_a_new_order_without_replacement(data):
    module = data()
    loader = module.train_dataloader()
    epochs = []
    for epoch in (0, 1, 0):
        loader.sampler.set_epoch(epoch)  # as Lightning does
        epochs.append([identity(batch) for batch in loader])
    first, second, again = epochs
    assert first == again
    assert len(loader) == len(first) == len(second) == 8
    assert len({excerpt for batch in first for excerpt in batch}) == 32
    assert first != second


def test_validation_is_in_order(data):
    module = data()
    found = torch.cat([batch["logmel"] for batch in module.val_dataloader()])
    assert torch.equal(found, module.valid_set[range(17)]["logmel"])


def test_fewer_excerpts_than_a_batch_are_refused(data):
    with pytest.raises(CorpusError, match="34 training excerpts are less than a batch of 35; add music"):
        data(batch_size=35)


@pytest.mark.parametrize(("label", "found"), [("sing", "vocal"), ("nosing", "non-vocal")])
@pytest.mark.parametrize(("split", "stage"), [("train", "fit"), ("valid", "fit"), ("test", "test")])
def test_a_split_of_one_class_is_refused_where_both_are_needed(data, make_corpus, tmp_path, label, found, split, stage):
    corpus = make_corpus(tmp_path, splits={"train": 1, "valid": 1, "test": 1})
    (tmp_path / "labels" / f"{split}0.lab").write_text(f"0 9 {label}\n")
    data(stage, corpus=corpus)
    with pytest.raises(CorpusError, match=f"split '{split}' has {found} excerpts only; both classes are needed"):
        data(stage, corpus=corpus, both_classes=True)


def test_several_splits_are_evaluated_as_one(data, tiny_corpus):
    module = data("test", split="valid+test")
    assert [track.name for track in module.test_set.tracks] == ["valid0", "test0"]
    alone = [data("test", split=split).test_set for split in ("valid", "test")]
    together = torch.cat([batch["logmel"] for batch in module.test_dataloader()])
    apart = torch.cat([part[range(17)]["logmel"] for part in alone])
    assert torch.equal(together, apart)
    assert module.test_set.track_of.tolist() == [0] * 17 + [1] * 17


def test_random_sampling_evaluates_n_excerpts_of_its_seed(data):
    one, same, other = (data("test", sampling="random", n=12, seed=seed).test_set for seed in (1, 1, 2))
    assert len(one) == 12
    assert one.start_of.tolist() == same.start_of.tolist() != other.start_of.tolist()


def test_augmentation_is_for_training_only(data, tiny_corpus, frontend, tmp_path):
    module = data(augment=lambda frontend: Augment(frontend, max_stretch=0.3, max_shift=0.3, max_db=10.0))
    assert len(module.train_set) == 2 * len(range(0, 277 - 165 + 1, 10))
    batch = next(iter(module.train_dataloader()))
    assert batch["samples"].shape == (4, frontend.n_samples(165))
    batch = module.on_after_batch_transfer(batch, 0)
    assert batch["logmel"].shape == (4, 115, 80)
    assert batch["vocal"].shape == (4, 1)
    assert "samples" not in batch
    untouched = next(iter(module.val_dataloader()))
    assert module.on_after_batch_transfer(untouched, 0) is untouched
    assert untouched["logmel"].shape == (4, 115, 80)


def test_tracks_too_short_for_the_augmentation_are_refused(make_corpus, tmp_path, frontend):
    corpus = make_corpus(tmp_path / "corpus", seconds=2.0)  # 137 frames: an excerpt, but not a stretched one
    module = ExcerptsData(
        corpus, MelStore(tmp_path / "mels", frontend), augment=lambda frontend: Augment(frontend, 0.3, 0.0, 0.0)
    )
    with pytest.raises(CorpusError, match=r"train0\.wav and 1 more: shorter than the 2\.39 s needed; use longer"):
        module.setup("fit")


def test_processes_share_the_tested_excerpts_and_must_have_one_each(data):
    module = data("test", sampling="random", n=3)
    shares, on_cpu = [], SimpleNamespace(root_device=torch.device("cpu"))
    for rank in range(2):
        module.trainer = SimpleNamespace(world_size=2, global_rank=rank, strategy=on_cpu)
        shares.append(torch.cat([batch["number"] for batch in module.test_dataloader()]).tolist())
    assert shares == [[0, 2], [1]]
    module.trainer.world_size = 4
    with pytest.raises(ConfigError, match="3 excerpts for 4 devices"):
        module.test_dataloader()
