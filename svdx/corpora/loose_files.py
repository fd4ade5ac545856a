"""Audio files given by name or pattern, as tracks with the labels and the voice stored next to them."""

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
from svdx.corpora.stems import VOICE, labels_of
from svdx.corpora.track import Segment, Track
from svdx.errors import AudioError, CorpusError

log = logging.getLogger(__name__)

MIXTURE = "mixture"  # what stems call it
MOST = 5  # extensions listed in an error message


def track_at(audio: Path) -> Track:
    """The track of an audio file, with labels and voice if they exist and can be read.

    Searches `../labels/NAME.lab` and `../vocals/NAME.*` for a file in a directory `audio` (the layout of `Folder`),
    `*.lab` and `vocals.*` next to a file named `mixture`, and the voice within a `.stem.mp4` (the layouts of `Stems`).
    """
    name, place = track_name_of(audio), audio.absolute().parent
    if is_stem_file(audio):
        return replace(_with(name, audio, labels_of(audio), [audio]), voice_number=VOICE)
    if stem(audio) == MIXTURE:
        siblings = entries_of(place)
        return _with(name, audio, filter(is_lab, siblings), by_stem(filter(is_audio, siblings)).get("vocals", []))
    if place.name == "audio":
        labels, voices = (_files_of(name, place.parent / folder) for folder in ("labels", "vocals"))
        return _with(name, audio, filter(is_lab, labels), filter(is_audio, voices))
    return Track(name, audio, ())


def _files_of(name: str, folder: Path) -> list[Path]:
    """The files of a directory with the name of a track."""
    return _directory(folder, folder.stat().st_mtime_ns).get(name, []) if folder.is_dir() else []


@lru_cache(maxsize=2)
def _directory(folder: Path, modified: int) -> dict[str, list[Path]]:
    """A directory's files by stem, cached, since listing 100 000 files takes seconds."""
    return by_stem(entries_of(folder))


def track_name_of(audio: Path) -> str:
    """The name of a track: that of its file without extension, or of its directory if the file is named mixture.

    >>> track_name_of(Path("a song.mp3")), track_name_of(Path("songs/a song/mixture.wav"))
    ('a song', 'a song')
    """
    return audio.absolute().parent.name if stem(audio) == MIXTURE else stem(audio)


def _with(name: str, audio: Path, labels: Iterable[Path], voices: Iterable[Path]) -> Track:
    """A track with the label file and the voice file, each if there is exactly one."""
    label, voice = _only(labels), _only(voices)
    segments = _read(label) if label else ()
    return Track(name, audio, segments, voice, labels=label if segments else None)


def _only(paths: Iterable[Path]) -> Path | None:
    candidates = list(paths)
    return candidates[0] if len(candidates) == 1 else None


def _read(labels: Path) -> tuple[Segment, ...]:
    """The segments of a label file. One with other contents, such as chords, is ignored with a warning."""
    try:
        return read_lab(labels)
    except CorpusError as error:
        log.warning(f"labels ignored: {error}")
        return ()


def is_directory_or_pattern(audio: str) -> bool:
    """Whether `audio` is a directory or a pattern with * or ?, and not the name of a file."""
    return os.path.isdir(audio) or (glob.has_magic(audio) and not os.path.exists(audio))  # noqa: PTH110, PTH112 (unlike Path, these never raise)


def audio_files(audio: str) -> list[Path]:
    """The audio files in a directory, without subdirectories, or those that a pattern matches (** for any depth).

    The order is fixed. Broken links are included, so that they are reported later.

    Raises: AudioError if there are none; CorpusError if the directory cannot be read.
    """
    place = Path(audio) if Path(audio).is_dir() else _fixed_part(audio)
    listed = entries_of(place)
    paths = listed if place == Path(audio) else _matches(audio)
    files = [path for path in paths if is_audio(path) and (path.is_file() or path.is_symlink())]
    if not files:
        others = sorted({path.suffix or path.name for path in paths if path.is_file()})
        supported = "supported are wav, flac, ogg, mp3, m4a and most others"
        only = f"; found only {', '.join(others[:MOST])}; {supported}" if others else ""
        deeper = f"; audio='{place / '**' / '*.wav'}' searches subdirectories" if place == Path(audio) else ""
        raise AudioError(f"{audio}: no audio files found{only}{deeper}")
    return files


def _matches(pattern: str) -> list[Path]:
    """The paths that match a pattern, without dotfiles and system files unless the pattern names them."""
    named = Path(pattern).parts
    paths = sorted(map(Path, glob.glob(pattern, recursive=True)))  # noqa: PTH207 (Path.glob refuses absolute patterns)
    return [path for path in paths if all(part in named or is_visible(part) for part in path.parts)]


def _fixed_part(pattern: str) -> Path:
    """The longest parent directory of a pattern without wildcards.

    >>> _fixed_part("songs/1999/*/a?.wav").as_posix()
    'songs/1999'
    """
    parents = Path(pattern).parents
    return next((parent for parent in parents if not glob.has_magic(str(parent))), Path())
