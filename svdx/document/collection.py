"""Many tracks: a directory with a page for each of them, and a page that leads there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.progress import track as progress

from svdx.corpora.beside import name_of, track_at
from svdx.corpora.track import Track
from svdx.errors import AudioError, CorpusError
from svdx.report import index_page

log = logging.getLogger(__name__)


def document_collection(
    title: str, files: Sequence[Path], document: Callable[[Track, Path], dict[str, str]], directory: Path
) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Document every audio file in a directory of its own below `directory`, and write index.html.

    document: a track and its directory → what is to be said of it
    Returns: facts by the name of the directory; by file, why it failed. A file that fails is reported and the others
    go on. Raises: AudioError if all of them fail.
    """
    done: dict[str, dict[str, str]] = {}
    failed: dict[str, str] = {}
    for path, name in progress(list(zip(files, names(files), strict=True)), f"explaining {len(files)} tracks"):
        try:
            done[name] = document(track_at(path), directory / name)
        except (AudioError, CorpusError) as error:
            failed[str(path)] = str(error)
            log.warning(f"left out: {error}")
    if not done:
        raise AudioError(f"none of {len(files)} tracks could be explained; the first: {next(iter(failed.values()))}")
    (directory / "index.html").write_text(
        index_page(f"{title}: {len(done)} of {len(files)} tracks", done, failed), encoding="utf-8"
    )
    return done, failed


def names(files: Sequence[Path]) -> list[str]:
    """A name for each file's track, with a number where an earlier one has that name.

    >>> names([Path("a/x.wav"), Path("b/x.mp3"), Path("y.wav")])
    ['x', 'x 2', 'y']
    """
    given: list[str] = []
    for path in files:
        name, number = name_of(path), 1
        while name in given:
            number += 1
            name = f"{name_of(path)} {number}"
        given.append(name)
    return given
