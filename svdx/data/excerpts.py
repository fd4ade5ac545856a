"""Selection of excerpts for training and evaluation, and the datasets that cut them from tracks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from svdx.corpora.track import Segment, Track
from svdx.data.cache import ArrayRows, MelStore

RELEASED_START = (5, 20)  # seconds: range of the released program's random start in a track
RELEASED_STEP, RELEASED_SPAN = 0.5, 200  # seconds
RELEASED_BATCH = 32  # it ends a track where fewer excerpts than a batch are left
GPU_SHARE = 0.5  # of a GPU's free memory that the excerpts may occupy

Sampling = Literal["random", "tracks", "released", "all"]
Index = tuple[np.ndarray, np.ndarray]  # track number [N] and first frame [N] of every excerpt


def every(lengths: Sequence[int], hop: int) -> Index:
    """Every hop-th excerpt. lengths: number of excerpts in each track"""
    starts = [np.arange(0, length, hop) for length in lengths]
    return _index(starts)


def at_random(lengths: Sequence[int], n: int, seed: int) -> Index:
    """n excerpts drawn without replacement from all tracks, in track order; all of them if there are fewer than n."""
    total = sum(lengths)
    chosen = np.random.default_rng(seed).choice(total, size=min(n, total), replace=False)
    tracks, frames = every(lengths, 1)
    chosen.sort()
    return tracks[chosen], frames[chosen]


def by_track(lengths: Sequence[int], n: int, seed: int) -> Index:
    """n excerpts drawn without replacement, equally many from each track (±1), in track order.

    Tracks with fewer excerpts contribute all of them. The tracks that contribute one more are drawn at random.
    """
    generator, counts, remaining = np.random.default_rng(seed), np.zeros(len(lengths), int), min(n, sum(lengths))
    while remaining:
        not_exhausted = generator.permutation(np.flatnonzero(counts < lengths))[:remaining]
        counts[not_exhausted] += 1
        remaining -= len(not_exhausted)
    starts = [np.sort(generator.choice(length, count, replace=False)) for length, count in zip(lengths, counts)]
    return _index(starts)


def released(lengths: Sequence[int], frame_rate: float) -> Index:
    """The released program's excerpts: two per second for 200 s from a random full second, up to a track's last batch.

    The program seeds a legacy generator with 0 before each threshold, so that all thresholds use the same excerpts.
    """
    generator = np.random.RandomState(0)
    starts = []
    for length in lengths:
        begin = generator.randint(*RELEASED_START)
        seconds = begin + RELEASED_STEP * np.arange(int(RELEASED_SPAN / RELEASED_STEP) + 1)
        frames = np.round(seconds * frame_rate).astype(int)
        starts.append(frames[: np.argmax(np.append(frames, length) + RELEASED_BATCH > length)])
    return _index(starts)


def sample(lengths: Sequence[int], frame_rate: float, sampling: Sampling, n: int, seed: int, hop: int) -> Index:
    """Excerpts for evaluation. sampling: random (`at_random`), tracks (`by_track`), released or all (`every`)"""
    if sampling == "random":
        return at_random(lengths, n, seed)
    if sampling == "tracks":
        return by_track(lengths, n, seed)
    if sampling == "released":
        return released(lengths, frame_rate)
    return every(lengths, hop)


def spread(total: int, n: int) -> np.ndarray:
    """n numbers (or all, if there are fewer) from the first to the last of `total`, evenly spaced, [n] int."""
    return np.linspace(0, total - 1, min(n, total)).astype(int)


def _index(starts: Sequence[np.ndarray]) -> Index:
    tracks = np.repeat(np.arange(len(starts)), [len(s) for s in starts])
    return tracks, np.concatenate(starts).astype(int) if starts else np.zeros(0, int)


def frame_labels(segments: Sequence[Segment], n_frames: int, frame_rate: float) -> np.ndarray:
    """Whether somebody sings at each frame; frame i is at i / frame_rate seconds. Returns: [n_frames] bool."""
    times = np.arange(n_frames) / frame_rate
    labels = np.zeros(n_frames, bool)
    for segment in segments:
        labels[np.searchsorted(times, segment.start) : np.searchsorted(times, segment.end)] = segment.vocal
    return labels


class Excerpts(Dataset):
    """Windows of prepared tracks, indexed by a batch of numbers [B].

    A batch is {"logmel": [B, window, bands] or "samples": [B, n], "vocal": [B] bool, "track": [B], "number": [B]} and,
    if `features` [N, 64] were set, "features": [B, 64]. "vocal" is the label of the window's middle frame; with samples
    it holds the labels of all frames, [B, window]. Data are read from the cache for each batch.

    window: frames per excerpt
    samples: return the samples of the window instead of its log-mel
    """

    def __init__(self, store: MelStore, tracks: Sequence[Track], index: Index, window: int, samples: bool = False):
        self.store, self.tracks, self.window, self.cut_samples = store, list(tracks), window, samples
        self.track_of, self.start_of = index
        self.features: Tensor | None = None
        self._rows: dict[int, ArrayRows] = {}
        rate = store.frontend.frame_rate
        self.labels = [frame_labels(track.segments, len(store.logmel(track)), rate) for track in self.tracks]
        middles = self.start_of + window // 2
        self.vocal = np.array([self.labels[track][middle] for track, middle in zip(self.track_of, middles)], bool)

    def __len__(self) -> int:
        return len(self.start_of)

    def _labels(self, numbers: np.ndarray) -> np.ndarray:
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

    def __getitem__(self, numbers: Sequence[int] | np.ndarray) -> dict[str, Tensor]:
        index = np.asarray(numbers)
        batch = {
            "samples" if self.cut_samples else "logmel": torch.from_numpy(np.stack([self._cut(n) for n in index])),
            "vocal": torch.from_numpy(self._labels(index)),
            "track": torch.from_numpy(self.track_of[index]),
            "number": torch.from_numpy(index),
        }
        if self.features is not None:
            batch["features"] = self.features[index]
        return batch


class ResidentExcerpts(Dataset):
    """The batches of `Excerpts`, cut on a device that holds the log-mels of all tracks, so that no step copies data."""

    def __init__(self, excerpts: Excerpts, device: torch.device) -> None:
        tracks = [excerpts.store.logmel(track) for track in excerpts.tracks]
        first = np.cumsum([0, *map(len, tracks)])
        self.frames = torch.empty(first[-1], tracks[0].shape[1], device=device)
        for start, track in zip(first, tracks):
            self.frames[start : start + len(track)] = torch.tensor(track)
        self.starts = torch.from_numpy(first[excerpts.track_of] + excerpts.start_of).to(device)
        self.window = torch.arange(excerpts.window, device=device)
        self.vocal = torch.from_numpy(excerpts.vocal).to(device)
        self.track = torch.from_numpy(excerpts.track_of).to(device)
        self.features = None if excerpts.features is None else excerpts.features.to(device)

    @staticmethod
    def fits(excerpts: Excerpts, device: torch.device) -> bool:
        """Whether the device is a GPU with enough free memory for all log-mels."""
        if device.type != "cuda" or excerpts.cut_samples:
            return False
        needed = sum(excerpts.store.logmel(track).nbytes for track in excerpts.tracks)
        return needed < GPU_SHARE * torch.cuda.mem_get_info(device)[0]

    def __getitem__(self, numbers: Tensor) -> dict[str, Tensor]:
        index = numbers.to(self.starts.device)
        batch = {
            "logmel": self.frames[self.starts[index, None] + self.window],
            "vocal": self.vocal[index],
            "track": self.track[index],
            "number": index,
        }
        if self.features is not None:
            batch["features"] = self.features[index]
        return batch
