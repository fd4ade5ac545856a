"""Selection of excerpts, frame labels and batches."""

import pickle

import numpy as np
import pytest
import torch

from svdx.corpora import Segment
from svdx.data.excerpts import Excerpts, at_random, by_track, every, frame_labels, released, sample


def pairs(index):
    return list(zip(*(numbers.tolist() for numbers in index), strict=True))


def test_every_hop_of_every_track():
    assert pairs(every([5, 0, 3], 2)) == [(0, 0), (0, 2), (0, 4), (2, 0), (2, 2)]
    assert pairs(every([], 2)) == []


def test_random_excerpts_are_distinct_in_range_and_in_track_order():
    drawn = pairs(at_random([50, 0, 30], 40, seed=0))
    assert len(set(drawn)) == 40
    assert drawn == sorted(drawn)
    assert set(drawn) <= set(pairs(every([50, 0, 30], 1)))
    assert {track for track, _ in drawn} == {0, 2}


def test_random_excerpts_depend_on_the_seed():
    assert pairs(at_random([500], 20, seed=1)) == pairs(at_random([500], 20, seed=1))
    assert pairs(at_random([500], 20, seed=1)) != pairs(at_random([500], 20, seed=2))


def test_requesting_too_many_random_excerpts_gives_all():
    assert pairs(at_random([3, 2], 10, seed=0)) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]


def test_by_track_draws_equally_many_excerpts_per_track():
    tracks, frames = by_track([50, 2, 0, 30, 40], 21, seed=0)
    counts = np.bincount(tracks, minlength=5)
    assert counts[[1, 2]].tolist() == [2, 0] and sorted(counts[[0, 3, 4]]) == [6, 6, 7]
    drawn = pairs((tracks, frames))
    assert len(set(drawn)) == 21 and drawn == sorted(drawn) and set(drawn) <= set(pairs(every([50, 2, 0, 30, 40], 1)))
    assert drawn == pairs(by_track([50, 2, 0, 30, 40], 21, seed=0)) != pairs(by_track([50, 2, 0, 30, 40], 21, seed=1))
    assert len(pairs(by_track([3, 2], 10, seed=0))) == 5


def test_released_excerpts_by_hand():
    # A legacy generator seeded 0 gives the starts 17, 10, 5 and 8 s.
    tracks, frames = released([20_000, 10 * 70 + 35 + 32, 5 * 70 + 35 + 31, 8 * 70 + 31], frame_rate=70)
    of_track = [frames[tracks == track].tolist() for track in range(4)]
    assert of_track[0] == [17 * 70 + 35 * i for i in range(401)]  # 17 s to 217 s, both included
    assert of_track[1] == [700, 735]  # exactly 32 follow the second
    assert of_track[2] == [350]  # 31 follow the second
    assert of_track[3] == []
    assert tracks.tolist() == sorted(tracks)


def test_released_excerpts_are_rounded_to_the_nearest_frame():
    frame_rate = 22050 / 512
    _, frames = released([9000], frame_rate)
    assert frames[:4].tolist() == [732, 754, 775, 797]  # 17 s: 732.1; 753.6; 775.2; 796.7
    assert frames[-1] == 8958  # 208 s: 8957.8; 8979 would leave less than 32 of 9000


def test_sampling_by_name():
    lengths = [3000, 2000]
    arguments = dict(lengths=lengths, frame_rate=70, n=10, seed=3, hop=7)
    assert pairs(sample(sampling="random", **arguments)) == pairs(at_random(lengths, 10, 3))
    assert pairs(sample(sampling="tracks", **arguments)) == pairs(by_track(lengths, 10, 3))
    assert pairs(sample(sampling="released", **arguments)) == pairs(released(lengths, 70))
    assert pairs(sample(sampling="all", **arguments)) == pairs(every(lengths, 7))


@pytest.mark.parametrize(
    ("start", "end", "frames"),
    [
        (1.0, 2.0, range(70, 140)),  # a frame at the very start belongs to the segment, one at its end does not
        (0.0, 0.02, range(2)),  # frames stand at 0, 0.0143, 0.0286 …
        (0.001, 0.02, range(1, 2)),
        (0.015, 0.028, range(0)),  # between two frames
        (2.9, 99.0, range(203, 210)),  # beyond the end
        (50.0, 99.0, range(0)),
    ],
)
def test_frame_labels_at_the_borders_of_a_segment(start, end, frames):
    labels = frame_labels([Segment(start, end, True)], 210, 70)
    assert np.flatnonzero(labels).tolist() == list(frames)


def test_frames_outside_vocal_segments_are_non_vocal():
    segments = [Segment(0, 1, False), Segment(1, 1.5, True), Segment(1.5, 1.6, False), Segment(1.7, 1.8, True)]
    labels = frame_labels(segments, 140, 70)
    assert np.flatnonzero(labels).tolist() == [*range(70, 105), *range(119, 126)]


@pytest.fixture(scope="module")
def tracks(tiny_corpus, tiny_store):
    return tiny_store.prepare(tiny_corpus.split("train"), samples=True)


@pytest.fixture
def excerpts(tracks, tiny_store):
    return Excerpts(tiny_store, tracks, every([163, 163], 1), 115)


def test_an_excerpt_has_the_label_of_its_frame_57(excerpts):
    # The track sings from 2 s on, which is frame 140.
    assert excerpts.vocal[:163].tolist() == [start + 57 >= 140 for start in range(163)]
    assert np.array_equal(excerpts.vocal[163:], excerpts.vocal[:163])


def test_batches_are_slices_of_the_logmel(excerpts, tracks, tiny_store):
    batch = excerpts[[0, 300, 90]]
    assert batch["track"].tolist() == [0, 1, 0]
    assert batch["vocal"].tolist() == [False, True, True]
    assert set(batch) == {"logmel", "vocal", "track", "number"}
    for cut, track, start in zip(batch["logmel"], [0, 1, 0], [0, 137, 90], strict=True):
        assert np.array_equal(cut.numpy(), tiny_store.logmel(tracks[track])[start : start + 115])


def test_batches_of_samples_match_the_frames(tracks, tiny_store, frontend):
    excerpts = Excerpts(tiny_store, tracks, (np.array([1, 0]), np.array([50, 0])), 164, samples=True)
    batch = excerpts[[0, 1]]
    assert batch["samples"].shape == (2, frontend.n_samples(164))
    expected = np.stack([tiny_store.logmel(tracks[1])[50:214], tiny_store.logmel(tracks[0])[:164]])
    np.testing.assert_allclose(frontend(batch["samples"].double()).numpy(), expected, atol=1e-5)
    singing = np.arange(277) >= 140
    assert np.array_equal(batch["vocal"], [singing[50:214], singing[:164]])


def test_features_come_with_their_excerpts(excerpts):
    excerpts.features = torch.arange(326.0)[:, None].expand(-1, 64)
    assert excerpts[[5, 200, 0]]["features"][:, 0].tolist() == [5, 200, 0]


def test_a_pickled_dataset_contains_no_arrays(excerpts):
    before = len(pickle.dumps(excerpts))
    expected = excerpts[[0, 200]]["logmel"]  # opens both arrays, 88 kB each
    travelled = pickle.dumps(excerpts)
    assert len(travelled) < before + 1000
    assert torch.equal(pickle.loads(travelled)[[0, 200]]["logmel"], expected)
