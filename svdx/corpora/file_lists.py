"""Text files, directory listings, and the audio files that lines of a list name."""

from __future__ import annotations

import codecs
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from svdx.errors import CorpusError

AUDIO = (
    ".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".m4a", ".aac", ".mp4", ".wma", ".webm", ".mka", ".aif", ".aiff",
    ".aifc", ".au", ".caf", ".w64", ".rf64", ".mp2", ".m4b", ".ac3", ".amr", ".ape", ".spx", ".tta", ".wv",
)  # fmt: skip
STEM_FILE = ".stem.mp4"  # format of Native Instruments and MUSDB18: several streams, the mix first
SYSTEM_FILES = {  # that operating systems leave in directories, in lower case; dotfiles are ignored too
    "__macosx", "@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "system volume information",
    "lost+found", "thumbs.db", "desktop.ini",
}  # fmt: skip
LARGEST = 2**24  # bytes of a list or label file: enough for one line per second for a week
WIDEST = 60  # characters of a line in an error message


@dataclass(frozen=True)
class Line:
    """A non-blank line of a text file, stripped.

    where: file:number, with a note if the file is not UTF-8 and was read as Latin-1
    """

    where: str
    text: str


def read_lines(path: Path) -> list[Line]:
    """The non-blank lines of a text file with any line ends.

    The encoding is UTF-8, UTF-16 if there is a byte order mark, or else Latin-1.

    Raises: CorpusError if the file cannot be read or is larger than 16 MiB.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # ValueError for an invalid file name
        raise CorpusError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if len(data) > LARGEST:
        raise CorpusError(f"{path}: more than {LARGEST >> 20} MiB of text; is this a list or a label file?")
    text, note = _decode(data)
    # `splitlines` would also split at characters that may be part of a name in Latin-1.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [Line(f"{path}:{number}{note}", text.strip()) for number, text in enumerate(lines, start=1) if text.strip()]


def _decode(data: bytes) -> tuple[str, str]:
    """The text of a file, and a note on its encoding for error messages."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace"), ""
    try:
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return data.decode("latin-1"), " (not UTF-8: read as Latin-1)"


def quoted(text: str) -> str:
    """The text in quotes for an error message: on one line, and cut to WIDEST characters."""
    return repr(text if len(text) <= WIDEST else text[: WIDEST - 3] + "...")


def files_below(root: Path) -> Iterator[Path]:
    """All files below a directory in a fixed order, following links, without dotfiles and `SYSTEM_FILES`.

    Raises: CorpusError if a directory cannot be read.
    """
    seen = set()  # links can be circular
    for folder, folders, names in os.walk(root, onerror=_refuse, followlinks=True):
        if os.path.realpath(folder) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(folder))
        folders[:] = sorted(filter(is_visible, folders))
        yield from (Path(folder, name) for name in sorted(names) if is_visible(name))


def entries_of(folder: Path) -> list[Path]:
    """The entries of a directory in a fixed order, without dotfiles and `SYSTEM_FILES`; empty if it does not exist.

    Raises: CorpusError if it cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if is_visible(path.name)) if folder.is_dir() else []
    except OSError as error:
        _refuse(error, folder)


def _refuse(error: OSError, folder: Path | None = None) -> NoReturn:
    raise CorpusError(
        f"{folder or error.filename}: cannot be read ({error.strerror}); check its permissions"
    ) from error


def is_visible(name: str) -> bool:
    """Whether a name is neither that of a dotfile nor one of `SYSTEM_FILES`."""
    return not name.startswith(".") and name.lower() not in SYSTEM_FILES


def is_audio(path: Path) -> bool:
    """Whether the extension is in `AUDIO`."""
    return path.suffix.lower() in AUDIO


def is_stem_file(path: Path) -> bool:
    """Whether the extension is `STEM_FILE`."""
    return path.name.lower().endswith(STEM_FILE)


def stem(path: Path) -> str:
    """A file's name without extension, in Unicode normal form C: macOS stores 'é' as two characters."""
    return _normalised(path.name[: -len(STEM_FILE)] if is_stem_file(path) else path.stem)


def by_stem(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Group paths by `stem`."""
    groups: dict[str, list[Path]] = {}
    for path in paths:
        groups.setdefault(stem(path), []).append(path)
    return groups


def track_name(text: str) -> str:
    """The track that a line of a list names: the text without its extension, if that is one of audio.

    >>> track_name("01 - Dr. No.ogg"), track_name("01 - Dr. No")
    ('01 - Dr. No', '01 - Dr. No')
    """
    ending = STEM_FILE if is_stem_file(Path(text)) else Path(text).suffix
    return _normalised(text[: -len(ending)] if is_audio(Path(text)) else text)


def find_audio(line: Line, audio: Mapping[str, list[Path]], place: str) -> Path:
    """The audio file that a line names, with or without its extension.

    audio: files grouped by `by_stem`; place: their directory, for messages

    Raises: CorpusError if none or several match.
    """
    name = track_name(line.text)
    same = audio.get(name, [])
    exact = [path for path in same if _normalised(path.name) == _normalised(line.text)]
    has_no_extension = name == _normalised(line.text)
    if len(exact) == 1 or (has_no_extension and len(same) == 1):
        return (exact or same)[0]
    candidates = " and ".join(str(path) for path in exact or same)
    if exact or (has_no_extension and same):
        raise CorpusError(
            f"{line.where}: {quoted(line.text)} could be {candidates}; name one, or keep only one of them"
        )
    hint = f"; did you mean {candidates}?" if same else f" (svdx reads {' '.join(AUDIO)})"
    raise CorpusError(f"{line.where}: {place} has no {quoted(line.text)}: add it or remove the line{hint}")


def refuse_repeats(lists: Iterable[Iterable[Line]]) -> None:
    """Raises CorpusError if the lists together name a track twice, which could leak test data into training."""
    first: dict[str, str] = {}
    for line in (line for lines in lists for line in lines):
        name = track_name(line.text)
        if name in first:
            raise CorpusError(
                f"{line.where}: {quoted(line.text)} is already listed at {first[name]}; remove one of them"
            )
        first[name] = line.where


def _normalised(text: str) -> str:
    return unicodedata.normalize("NFC", text)
