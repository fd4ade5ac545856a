"""Cache of log-mels and samples: one memory-mapped array file per track, computed once and shared by all runs."""

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
from svdx.errors import CACHE, AudioError, CorpusError, writing
from svdx.files.atomic import atomic_write, process_lock
from svdx.files.checksum import file_sha256
from svdx.schema.checks import checked
from svdx.schema.types import AnyPath, PositiveInt

log = logging.getLogger(__name__)

LOCKS = "locks"  # subdirectory; tracks whose keys have the same first two digits share a lock
VERSION = 3  # increase it if the same audio and settings give other arrays

Kind = Literal["logmel", "samples"]


@checked
class MelStore:
    """Cache directory with log-mels [frames, bands] and optionally samples [n] of tracks, float32.

    The key of an array is a checksum of the audio file's content and the front end's settings. Arrays are written
    atomically, and each is computed by one process while others wait. Threads compute several tracks in parallel, since
    decoding and transform release the interpreter lock.

    directory: created if needed
    workers: number of threads (None: one per processor)
    """

    def __init__(self, directory: AnyPath, frontend: FrontEnd, workers: PositiveInt | None = None) -> None:
        self.directory, self.frontend = Path(str(directory)), frontend
        self.workers = workers or os.cpu_count() or 1
        self._keys: dict[Path, str] = {}  # of prepared tracks
        self._reported_short: set[tuple[Path, int]] = set()
        self._checked_labels: set[Track] = set()

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

    def _path(self, track: Track, kind: Kind) -> Path:
        key = self._keys.get(track.audio) or self._key(track)
        return self.directory / f"{key}.{kind}.npy"

    def _is_cached(self, track: Track, kinds: Sequence[Kind]) -> bool:
        return all(is_complete(self._path(track, kind)) for kind in kinds)

    def prepare(self, tracks: Sequence[Track], samples: bool = False) -> list[Track]:
        """Compute missing arrays. Returns the tracks that are at least one excerpt long.

        samples: also cache the samples

        Raises: AudioError for a file that is not audio; CorpusError if every track is too short, or if labels extend
            far beyond the audio; ConfigError if the cache cannot be written.
        """
        kinds: tuple[Kind, ...] = ("logmel", "samples") if samples else ("logmel",)
        # One torch thread per worker: nested thread pools wait for each other.
        pool = ThreadPoolExecutor(self.workers, initializer=torch.set_num_threads, initargs=(1,))
        with writing(self.directory, CACHE), pool:
            self._keys |= zip((track.audio for track in tracks), pool.map(self._key, tracks))
            missing = [track for track in tracks if not self._is_cached(track, kinds)]
            jobs = pool.map(lambda track: self._compute(track, kinds), missing)
            if missing:
                for _ in progress(jobs, f"log-mel of {len(missing)} tracks", total=len(missing)):
                    pass
        prepared = self.long_enough(tracks, self.frontend.excerpt_frames)
        for track in prepared:
            if track not in self._checked_labels:
                check_time_unit(track, self.frontend.n_samples(len(self.logmel(track))) / self.frontend.sample_rate)
                self._checked_labels.add(track)
        return prepared

    def long_enough(self, tracks: Sequence[Track], n_frames: int) -> list[Track]:
        """The prepared tracks of at least n_frames frames. Logs a warning, once per run, for each of the others.

        Raises: CorpusError if there are none.
        """
        seconds = self.frontend.n_samples(n_frames) / self.frontend.sample_rate
        long = [track for track in tracks if len(self.logmel(track)) >= n_frames]
        short = [track for track in tracks if track not in long]
        if not long:
            others = f" and {len(short) - 1} more" if len(short) > 1 else ""
            raise CorpusError(f"{short[0].audio}{others}: shorter than the {seconds:.2f} s needed; use longer audio")
        for track in short:
            if (track.audio, n_frames) not in self._reported_short:
                log.warning(f"{track.audio}: skipped, shorter than the {seconds:.2f} s needed")
            self._reported_short.add((track.audio, n_frames))
        return long

    def _compute(self, track: Track, kinds: Sequence[Kind]) -> None:
        key = self._keys[track.audio]
        with process_lock(self.directory / LOCKS / f"{key[:2]}.lock"):
            if self._is_cached(track, kinds):  # by another process, meanwhile
                return
            samples = decode(track.audio, self.frontend.sample_rate)
            if self._key(track) != key:
                raise AudioError(f"{track.audio}: changed while it was read; try again when it is complete")
            arrays = {"samples": samples.numpy(), "logmel": self.frontend.of_track(samples).numpy()}
            for kind in kinds:
                write_array(self._path(track, kind), arrays[kind])

    def logmel(self, track: Track) -> np.ndarray:
        """Memory-mapped log-mel of a prepared track, [frames, bands]."""
        return np.load(self._path(track, "logmel"), mmap_mode="r", allow_pickle=False)

    def samples(self, track: Track) -> np.ndarray:
        """Memory-mapped samples of a prepared track, [n]."""
        return np.load(self._path(track, "samples"), mmap_mode="r", allow_pickle=False)

    def rows(self, track: Track, kind: Kind) -> ArrayRows:
        """The array of a prepared track for reading piece by piece."""
        return ArrayRows(self._path(track, kind))


class ArrayRows:
    """Reads slices of rows from an array file. Unlike those of a memory map, the pages do not stay in memory."""

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


def write_array(path: Path, array: np.ndarray) -> None:
    """Write a .npy file atomically, ending with its own name so that truncated or foreign files can be detected.

    Raises: OSError.
    """
    array = np.ascontiguousarray(array)
    with atomic_write(path, single_writer=True) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)
        file.write(_end_mark(path))


def is_complete(path: Path) -> bool:
    """Whether `path` is a complete file of `write_array`. Raises: OSError if it cannot be read."""
    end_mark = _end_mark(path)
    if not path.is_file() or path.stat().st_size < len(end_mark):
        return False
    with path.open("rb") as file:
        file.seek(-len(end_mark), os.SEEK_END)
        return file.read() == end_mark


def _end_mark(path: Path) -> bytes:
    return f"\n{path.name}\n".encode()


def statistics(logmels: Iterable[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (ddof 1) of each band over all frames of log-mels [T, bands]; [bands] each.

    The deviation of a constant band is 1.
    """
    count, total, square = 0, np.float64(0), np.float64(0)
    for logmel in logmels:
        values = logmel.astype(np.float64)
        count, total, square = count + len(values), total + values.sum(0), square + (values**2).sum(0)
    mean = total / count
    std = np.sqrt(np.maximum(square - count * mean**2, 0) / (count - 1))
    std[std < 1e-6] = 1
    return torch.from_numpy(mean).float(), torch.from_numpy(std).float()
