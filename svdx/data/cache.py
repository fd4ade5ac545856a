"""One memory-mapped log-mel per track, computed once and reused by every later run."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from rich.progress import track as progress
from torch import Tensor

from svdx.audio.logmel import FrontEnd
from svdx.audio.reading import decode
from svdx.corpora.labels import check_time_unit
from svdx.corpora.track import Track
from svdx.data.array_files import is_sealed, write_sealed
from svdx.errors import CACHE, AudioError, CorpusError, writing
from svdx.files.atomic import process_lock
from svdx.files.checksum import file_sha256

log = logging.getLogger(__name__)

LOCKS = "locks"  # in the cache directory; a lock serves all tracks whose keys begin alike
VERSION = 3  # raised when the same audio and settings would give other arrays


class Rows:
    """Rows of an array file, read when they are asked for: what a memory map has shown stays in memory.

    >>> len(Rows(path)), Rows(path)[10:12].shape  # doctest: +SKIP
    (16800, (2, 80))
    """

    def __init__(self, path: Path) -> None:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        self.path, self.shape, self.dtype, self.offset = path, array.shape, array.dtype, array.offset

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> np.ndarray:
        start, stop, _ = rows.indices(len(self))
        width, n = math.prod(self.shape[1:]), max(0, stop - start)
        begin = self.offset + start * width * self.dtype.itemsize
        return np.fromfile(self.path, self.dtype, n * width, offset=begin).reshape(n, *self.shape[1:])


class MelStore:
    """Arrays of tracks in a cache directory: log-mels [frames, bands] and, where asked for, samples [n]; float32.

    An array is keyed by the audio file's bytes and the front end's settings, appears whole or not at all, and is made
    by one process while others wait. Decoding and transform release the interpreter's lock: threads run in parallel.

    directory: where the arrays lie; workers: how many tracks at a time (None: one a processor)
    """

    def __init__(self, directory: str | Path, frontend: FrontEnd, workers: int | None = None) -> None:
        self.directory, self.frontend = Path(directory), frontend
        self.workers = workers or os.cpu_count() or 1
        self._skipped: set[tuple[Path, int]] = set()
        self._keys: dict[Path, str] = {}  # of prepared tracks, as they were then
        self._compared: set[Track] = set()  # labels of prepared tracks with the length of their audio

    @cached_property
    def _settings(self) -> str:
        return json.dumps({"version": VERSION, **self.frontend.settings}, sort_keys=True)

    def _key(self, track: Track) -> str:
        try:
            identity = f"{file_sha256(track.audio)}|{self._settings}"
        except OSError as error:
            reason = f"cannot be read ({error.strerror})" if track.audio.exists() else "is missing"
            raise CorpusError(f"{track.audio}: audio file of track {track.name!r} {reason}") from error
        return hashlib.sha256(identity.encode()).hexdigest()[:24]

    def _path(self, track: Track, kind: str) -> Path:
        key = self._keys.get(track.audio) or self._key(track)
        return self.directory / f"{key}.{kind}.npy"

    def _is_there(self, track: Track, kinds: Sequence[str]) -> bool:
        return all(is_sealed(self._path(track, kind)) for kind in kinds)

    def prepare(self, tracks: Sequence[Track], samples: bool = False) -> list[Track]:
        """Compute what is not there yet; return the tracks that are at least one excerpt long.

        Raises: AudioError for a file that is not sound; CorpusError if every track is too short, or if labels run far
        beyond their audio; ConfigError where the arrays cannot be written.
        """
        kinds = ("logmel", "samples") if samples else ("logmel",)
        alone = dict(initializer=torch.set_num_threads, initargs=(1,))  # threads within threads wait for each other
        with writing(self.directory, CACHE), ThreadPoolExecutor(self.workers, **alone) as pool:
            self._keys |= zip((track.audio for track in tracks), pool.map(self._key, tracks))
            missing = [track for track in tracks if not self._is_there(track, kinds)]
            jobs = pool.map(lambda track: self._compute(track, kinds), missing)
            if missing:
                for _ in progress(jobs, f"log-mel of {len(missing)} tracks", total=len(missing)):
                    pass
        kept = self.long_enough(tracks, self.frontend.excerpt_frames)
        for track in kept:
            if track not in self._compared:
                check_time_unit(track, self.frontend.n_samples(len(self.logmel(track))) / self.frontend.sample_rate)
                self._compared.add(track)
        return kept

    def long_enough(self, tracks: Sequence[Track], n_frames: int) -> list[Track]:
        """Prepared tracks that are at least n_frames long; of the others the log says so, once in a run.

        Raises: CorpusError if there is none.
        """
        seconds = self.frontend.n_samples(n_frames) / self.frontend.sample_rate
        kept = [track for track in tracks if len(self.logmel(track)) >= n_frames]
        short = [track for track in tracks if track not in kept]
        if not kept:
            others = f" and {len(short) - 1} more" if len(short) > 1 else ""
            raise CorpusError(f"{short[0].audio}{others}: shorter than the {seconds:.2f} s needed; use longer audio")
        for track in short:
            if (track.audio, n_frames) not in self._skipped:
                log.warning(f"{track.audio}: skipped, shorter than the {seconds:.2f} s needed")
            self._skipped.add((track.audio, n_frames))
        return kept

    def _compute(self, track: Track, kinds: Sequence[str]) -> None:
        key = self._keys[track.audio]
        with process_lock(self.directory / LOCKS / f"{key[:2]}.lock"):
            if self._is_there(track, kinds):  # another process was first
                return
            samples = decode(track.audio, self.frontend.sample_rate)
            if self._key(track) != key:
                raise AudioError(f"{track.audio}: changed while it was read; try again when it is whole")
            arrays = {"samples": samples.numpy(), "logmel": self.frontend.of_track(samples).numpy()}
            for kind in kinds:
                write_sealed(self._path(track, kind), arrays[kind])

    def logmel(self, track: Track) -> np.ndarray:
        """Memory-mapped log-mel of a prepared track, [frames, bands]."""
        return np.load(self._path(track, "logmel"), mmap_mode="r", allow_pickle=False)

    def samples(self, track: Track) -> np.ndarray:
        """Memory-mapped samples of a prepared track, [n]."""
        return np.load(self._path(track, "samples"), mmap_mode="r", allow_pickle=False)

    def rows(self, track: Track, kind: Literal["logmel", "samples"]) -> Rows:
        """The same, to be read piece by piece."""
        return Rows(self._path(track, kind))


def statistics(logmels: Iterable[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (ddof 1) of every band over all frames of log-mels [T, bands]; [bands] each.

    A band that never changes has deviation 1.
    """
    count, total, square = 0, 0.0, 0.0
    for logmel in logmels:
        values = logmel.astype(np.float64)
        count, total, square = count + len(values), total + values.sum(0), square + (values**2).sum(0)
    mean = total / count
    std = np.sqrt(np.maximum(square - count * mean**2, 0) / (count - 1))
    std[std < 1e-6] = 1
    return torch.from_numpy(mean).float(), torch.from_numpy(std).float()
