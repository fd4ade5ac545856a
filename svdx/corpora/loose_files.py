"""Audio files by name or pattern, each as a track: with labels and voice, where they lie beside it as in a corpus."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from svdx.corpora.file_lists import by_stem, entries_of, is_audio, is_stem_file, is_visible, stem
from svdx.corpora.labels import is_lab, read_lab
from svdx.corpora.stems import VOICE, labels_beside
from svdx.corpora.track import Segment, Track
from svdx.errors import AudioError, CorpusError

log = logging.getLogger(__name__)

MIXTURE = "mixture"  # what stems call it
MOST = 5  # kinds of files that an error names


def track_at(audio: Path) -> Track:
    """The track of an audio file; no segments and no vocals where none are found, or none that can be read.

    Looked for: `../labels/NAME.lab` and `../vocals/NAME.*` of a file in a directory `audio` (the layout of `Folder`),
    `*.lab` and `vocals.*` beside a file called `mixture`, the voice within a `.stem.mp4` (the layouts of `Stems`).
    """
    name, place = track_name_of(audio), audio.absolute().parent
    if is_stem_file(audio):
        return replace(_with(name, audio, labels_beside(audio), [audio]), voice_number=VOICE)
    if stem(audio) == MIXTURE:
        beside = entries_of(place)
        return _with(name, audio, filter(is_lab, beside), by_stem(filter(is_audio, beside)).get("vocals", []))
    if place.name == "audio":
        labels, voices = (_called(name, place.parent / folder) for folder in ("labels", "vocals"))
        return _with(name, audio, filter(is_lab, labels), filter(is_audio, voices))
    return Track(name, audio, ())


def _called(name: str, folder: Path) -> list[Path]:
    """The files of a track in a directory."""
    return _listed(folder, folder.stat().st_mtime_ns).get(name, []) if folder.is_dir() else []


@lru_cache(maxsize=2)
def _listed(folder: Path, modified: int) -> dict[str, list[Path]]:
    """A directory's files by stem. Where there are 100 000 it takes seconds, and each of their tracks asks for them."""
    return by_stem(entries_of(folder))


def track_name_of(audio: Path) -> str:
    """What a track is called: as its file is, without the ending; as its directory where the file is called mixture.

    >>> track_name_of(Path("a song.mp3")), track_name_of(Path("songs/a song/mixture.wav"))
    ('a song', 'a song')
    """
    return audio.absolute().parent.name if stem(audio) == MIXTURE else stem(audio)


def _with(name: str, audio: Path, labels: Iterable[Path], voices: Iterable[Path]) -> Track:
    """A track with its labels and its voice, where there is one file of them."""
    label, voice = _only(labels), _only(voices)
    segments = _read(label) if label else ()
    return Track(name, audio, segments, voice, labels=label if segments else None)


def _only(paths: Iterable[Path]) -> Path | None:
    found = list(paths)
    return found[0] if len(found) == 1 else None


def _read(labels: Path) -> tuple[Segment, ...]:
    """The segments of a label file, which nobody asked for: one that is of something else, as chords, is left out."""
    try:
        return read_lab(labels)
    except CorpusError as error:
        log.warning(f"the labels are left out: {error}")
        return ()


def is_directory_or_pattern(audio: str) -> bool:
    """Does a text mean several audio files: a directory, or a pattern with * or ?, and not the name of one file?"""
    return os.path.isdir(audio) or (glob.has_magic(audio) and not os.path.exists(audio))  # noqa: PTH110, PTH112 (never an error)


def audio_files(audio: str) -> list[Path]:
    """The audio files directly in a directory, or those that a pattern matches (** for any depth), in a fixed order;
    links that lead nowhere among them, so that they are reported.

    Raises: AudioError where there is none, CorpusError where the directory may not be read.
    """
    place = Path(audio) if Path(audio).is_dir() else _fixed_part(audio)
    listed = entries_of(place)
    found = listed if place == Path(audio) else _matches(audio)
    files = [path for path in found if is_audio(path) and (path.is_file() or path.is_symlink())]
    if not files:
        others = sorted({path.suffix or path.name for path in found if path.is_file()})
        there = (
            f"; there are {', '.join(others[:MOST])}; wav, flac, ogg, mp3, m4a and most others are read"
            if others
            else ""
        )
        deeper = f"; audio='{place / '**' / '*.wav'}' looks further down" if place == Path(audio) else ""
        raise AudioError(f"{audio}: no audio file is there{there}{deeper}")
    return files


def _matches(pattern: str) -> list[Path]:
    """What a pattern matches, without dotfiles and droppings that it does not name."""
    named = Path(pattern).parts
    found = sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207 (Path's own refuses absolute patterns)
    return [path for path in found if all(part in named or is_visible(part) for part in path.parts)]


def _fixed_part(pattern: str) -> Path:
    """The directory of a pattern down to which nothing in it is a wildcard.

    >>> _fixed_part("songs/1999/*/a?.wav").as_posix()
    'songs/1999'
    """
    parents = Path(pattern).parents
    return next((parent for parent in parents if not glob.has_magic(str(parent))), Path())
