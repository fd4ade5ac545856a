"""Which music was it? Tracks named by what they hold, wherever they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from svdx.corpora.track import Track
from svdx.errors import CorpusError
from svdx.files.checksum import file_sha256


def digest(tracks: Sequence[Track]) -> str:
    """Sixteen hex digits that name tracks by their order, names, labels, and the bytes of their audio and voice files.

    Raises: CorpusError where a file cannot be read.
    """
    with ThreadPoolExecutor() as pool:
        return hashlib.sha256("".join(pool.map(_of_track, tracks)).encode()).hexdigest()[:16]


def _of_track(track: Track) -> str:
    files = [_of_file(path) for path in (track.audio, track.vocals) if path]
    return hashlib.sha256(repr((track.name, track.segments, files)).encode()).hexdigest()


def _of_file(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read ({error.strerror})") from error
