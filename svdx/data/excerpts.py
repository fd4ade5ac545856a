"""Which excerpts of which tracks: training hops, evaluation sampling, and the dataset that cuts them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from svdx.corpora.track import Segment, Track
from svdx.data.cache import MelStore, Rows
from svdx.errors import ConfigError

RELEASED_START = (5, 20)  # seconds: where in a track the released program may begin
RELEASED_STEP, RELEASED_SPAN = 0.5, 200  # seconds
RELEASED_BATCH = 32  # it stops at a track where fewer excerpts than a batch follow

Index = tuple[np.ndarray, np.ndarray]  # track number [N] and first frame [N] of every excerpt


def every(lengths: Sequence[int], hop: int) -> Index:
    """Every hop-th excerpt of tracks that hold `lengths` excerpts."""
    starts = [np.arange(0, length, hop) for length in lengths]
    return _index(starts)


def at_random(lengths: Sequence[int], n: int, seed: int) -> Index:
    """n excerpts drawn without replacement from all of the tracks, in track order; all of them if there are fewer."""
    total = sum(lengths)
    chosen = np.random.default_rng(seed).choice(total, size=min(n, total), replace=False)
    tracks, frames = every(lengths, 1)
    chosen.sort()
    return tracks[chosen], frames[chosen]


def by_track(lengths: Sequence[int], n: int, seed: int) -> Index:
    """n excerpts drawn without replacement, as many of one track as of another but for one, in track order; all of a
    track that holds fewer. Which tracks have one more is drawn, too.
    """
    generator, taken, left = np.random.default_rng(seed), np.zeros(len(lengths), int), min(n, sum(lengths))
    while left:
        room = generator.permutation(np.flatnonzero(taken < lengths))[:left]
        taken[room] += 1
        left -= len(room)
    starts = [np.sort(generator.choice(length, some, replace=False)) for length, some in zip(lengths, taken)]
    return _index(starts)


def released(lengths: Sequence[int], frame_rate: float) -> Index:
    """The released program's excerpts: two a second for 200 s from a random whole second, until a track's last batch.

    A legacy generator is seeded with 0 before each threshold, so that every threshold sees this same list.
    """
    generator = np.random.RandomState(0)
    starts = []
    for length in lengths:
        begin = generator.randint(*RELEASED_START)
        seconds = begin + RELEASED_STEP * np.arange(int(RELEASED_SPAN / RELEASED_STEP) + 1)
        frames = np.round(seconds * frame_rate).astype(int)
        starts.append(frames[: np.argmax(np.append(frames, length) + RELEASED_BATCH > length)])
    return _index(starts)


def sample(lengths: Sequence[int], frame_rate: float, sampling: str, n: int, seed: int, hop: int) -> Index:
    """Excerpts to evaluate: sampling = random (n, seed), tracks (the same, of each track alike), released,
    or all (every hop-th)."""
    if sampling in ("random", "tracks") and n < 1:
        raise ConfigError(f"excerpts.n={n}: expected at least 1")
    if sampling == "random":
        return at_random(lengths, n, seed)
    if sampling == "tracks":
        return by_track(lengths, n, seed)
    if sampling == "released":
        return released(lengths, frame_rate)
    if sampling == "all":
        return every(lengths, hop)
    raise ConfigError(f"excerpts.sampling={sampling}: expected random, tracks, released or all")


def _index(starts: Sequence[np.ndarray]) -> Index:
    tracks = np.repeat(np.arange(len(starts)), [len(s) for s in starts])
    return tracks, np.concatenate(starts).astype(int) if starts else np.zeros(0, int)


def frame_labels(segments: Sequence[Segment], n_frames: int, frame_rate: float) -> np.ndarray:
    """Is somebody singing at frame i, which stands at i / frame_rate seconds? → [n_frames] bool."""
    times = np.arange(n_frames) / frame_rate
    labels = np.zeros(n_frames, bool)
    for segment in segments:
        labels[np.searchsorted(times, segment.start) : np.searchsorted(times, segment.end)] = segment.vocal
    return labels


class Excerpts(Dataset):
    """Windows of prepared tracks, fetched as whole batches by their numbers, [B].

    A batch is {"logmel": [B, window, bands] or "samples": [B, n], "vocal": [B] bool, "track": [B], "number": [B]} and,
    where `features` [N, 64] were set, "features": [B, 64]. The label is that of the window's middle frame; with samples
    there is one for each of its frames, [B, window]. What was read does not stay in memory.

    window: frames cut; samples: cut the samples under them instead of the log-mel
    """

    def __init__(self, store: MelStore, tracks: Sequence[Track], index: Index, window: int, samples: bool = False):
        self.store, self.tracks, self.window, self.cut_samples = store, list(tracks), window, samples
        self.track_of, self.start_of = index
        self.features: Tensor | None = None
        self._rows: dict[int, Rows] = {}
        rate = store.frontend.frame_rate
        self.labels = [frame_labels(track.segments, len(store.logmel(track)), rate) for track in self.tracks]
        middles = self.start_of + window // 2
        self.vocal = np.array([self.labels[track][middle] for track, middle in zip(self.track_of, middles)], bool)

    def __len__(self) -> int:
        return len(self.start_of)

    def _labels(self, numbers: Sequence[int]) -> np.ndarray:
        if not self.cut_samples:
            return self.vocal[numbers]
        starts = self.start_of[numbers]
        return np.stack([self.labels[t][s : s + self.window] for t, s in zip(self.track_of[numbers], starts)])

    def _cut(self, number: int) -> np.ndarray:
        start, length = self.start_of[number], self.window
        if self.cut_samples:
            start, length = start * self.store.frontend.hop, self.store.frontend.n_samples(length)
        track = self.track_of[number]
        if track not in self._rows:
            self._rows[track] = self.store.rows(self.tracks[track], "samples" if self.cut_samples else "logmel")
        return self._rows[track][start : start + length]

    def __getitem__(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        numbers = np.asarray(numbers)
        batch = {
            "samples" if self.cut_samples else "logmel": torch.from_numpy(np.stack([self._cut(n) for n in numbers])),
            "vocal": torch.from_numpy(self._labels(numbers)),
            "track": torch.from_numpy(self.track_of[numbers]),
            "number": torch.from_numpy(numbers),
        }
        if self.features is not None:
            batch["features"] = self.features[numbers]
        return batch
