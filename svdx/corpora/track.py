"""A track: an audio file, the segments in which somebody sings, and, if available, the isolated voice."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from svdx.errors import CorpusError
from svdx.files.checksum import file_sha256


@dataclass(frozen=True)
class Segment:
    """The interval [start, end) of a track, in seconds, and whether somebody sings in it."""

    start: float
    end: float
    vocal: bool


@dataclass(frozen=True)
class Track:
    """One piece of music in a corpus.

    name: unique within the corpus, without extension
    audio: the mix, in any format of `svdx.corpora.file_lists.AUDIO`
    segments: by ascending start, without overlap; time outside all segments is non-vocal
    vocals: the isolated voice at its level in the mix, or None if unknown
    voice_number: index of the voice among the streams of the file `vocals`, from 0; None if the file has one stream
    labels: the file that the segments were read from, for error messages; None if there is no such file
    """

    name: str
    audio: Path
    segments: tuple[Segment, ...]
    vocals: Path | None = None
    voice_number: int | None = None
    labels: Path | None = field(default=None, compare=False)


def tracks_checksum(tracks: Sequence[Track]) -> str:
    """Checksum (16 hex digits) of the tracks' order, names, segments, and the bytes of their audio and voice files.

    Does not depend on where the files are stored. Raises: CorpusError if a file cannot be read.
    """
    with ThreadPoolExecutor() as pool:
        return hashlib.sha256("".join(pool.map(_track_checksum, tracks)).encode()).hexdigest()[:16]


def _track_checksum(track: Track) -> str:
    files = [_file_checksum(path) for path in (track.audio, track.vocals) if path]
    return hashlib.sha256(repr((track.name, track.segments, files)).encode()).hexdigest()


def _file_checksum(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror})") from error
