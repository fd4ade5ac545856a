"""What corpora ask of a disk: the lines of a text file, the files below a directory, the audio that a line names."""

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
STEM_FILE = ".stem.mp4"  # Native Instruments' format, and MUSDB18's: several sounds, the mix first
DROPPINGS = {  # what systems leave in directories, in lower case; besides them, dotfiles
    "__macosx", "@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "system volume information",
    "lost+found", "thumbs.db", "desktop.ini",
}  # fmt: skip
LARGEST = 2**24  # bytes of a list or label file: a line a second for a week
WIDEST = 60  # characters of a line that an error shows


@dataclass(frozen=True)
class Line:
    """A line of a text file that is not blank, without the white space around it.

    where: its file:number and, where the file is not UTF-8, that it was read as Latin-1
    """

    where: str
    text: str


def read_lines(path: Path) -> list[Line]:
    """The lines of a text file that are not blank; UTF-8, or UTF-16 where it says so, else Latin-1; any line end.

    Raises: CorpusError, also for a file of more than 16 MiB.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # the latter of a name that no file can have
        raise CorpusError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error
    if len(data) > LARGEST:
        raise CorpusError(f"{path}: more than {LARGEST >> 20} MiB of text; is it a list or a label file at all?")
    text, note = _decode(data)
    # Not `splitlines`: that also breaks at characters which Latin-1 text may hold inside a name.
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [Line(f"{path}:{number}{note}", text.strip()) for number, text in enumerate(lines, start=1) if text.strip()]


def _decode(data: bytes) -> tuple[str, str]:
    """A file's text, and what errors should say of its encoding."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors="replace"), ""
    try:
        return data.decode("utf-8-sig"), ""
    except UnicodeDecodeError:
        return data.decode("latin-1"), " (not UTF-8: read as Latin-1)"


def shown(text: str) -> str:
    """Quoted, on one line, and no longer than it takes to recognise it."""
    return repr(text if len(text) <= WIDEST else text[: WIDEST - 3] + "...")


def files_below(root: Path) -> Iterator[Path]:
    """Every file below a directory in a fixed order, through links too; no dotfiles, and no `DROPPINGS`.

    Raises: CorpusError where a directory may not be read.
    """
    seen = set()  # links can lead in circles
    for folder, folders, names in os.walk(root, onerror=_refuse, followlinks=True):
        if os.path.realpath(folder) in seen:
            folders.clear()
            continue
        seen.add(os.path.realpath(folder))
        folders[:] = sorted(filter(is_visible, folders))
        yield from (Path(folder, name) for name in sorted(names) if is_visible(name))


def entries_of(folder: Path) -> list[Path]:
    """What lies in one directory, in a fixed order, without dotfiles and `DROPPINGS`; nothing where it does not
    exist. Raises: CorpusError where it may not be read."""
    try:
        return sorted(path for path in folder.iterdir() if is_visible(path.name)) if folder.is_dir() else []
    except OSError as error:
        _refuse(error, folder)


def _refuse(error: OSError, folder: Path | None = None) -> NoReturn:
    """Raises CorpusError for a directory that the system does not list."""
    raise CorpusError(
        f"{folder or error.filename}: cannot be read ({error.strerror}); check its permissions"
    ) from error


def is_visible(name: str) -> bool:
    """Whether a name is neither a dotfile's nor one of `DROPPINGS`."""
    return not name.startswith(".") and name.lower() not in DROPPINGS


def is_audio(path: Path) -> bool:
    """Whether the extension is one of audio."""
    return path.suffix.lower() in AUDIO


def is_stem_file(path: Path) -> bool:
    """Whether the extension is that of several sounds in one file."""
    return path.name.lower().endswith(STEM_FILE)


def stem(path: Path) -> str:
    """A file's name without extension, composed: macOS stores 'é' as two characters and a typed list as one."""
    return _composed(path.name[: -len(STEM_FILE)] if is_stem_file(path) else path.stem)


def by_stem(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """The paths of each stem."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        found.setdefault(stem(path), []).append(path)
    return found


def track_name(text: str) -> str:
    """The track that a line of a list names: without the extension, if it has one that says audio.

    >>> track_name("01 - Dr. No.ogg"), track_name("01 - Dr. No")
    ('01 - Dr. No', '01 - Dr. No')
    """
    ending = STEM_FILE if is_stem_file(Path(text)) else Path(text).suffix
    return _composed(text[: -len(ending)] if is_audio(Path(text)) else text)


def find_audio(line: Line, audio: Mapping[str, list[Path]], place: str) -> Path:
    """The one audio file that a line names, with or without its extension, among `by_stem` files of a place."""
    name = track_name(line.text)
    same = audio.get(name, [])
    exact = [path for path in same if _composed(path.name) == _composed(line.text)]
    bare = name == _composed(line.text)
    if len(exact) == 1 or (bare and len(same) == 1):
        return (exact or same)[0]
    there = " and ".join(str(path) for path in exact or same)
    if exact or (bare and same):
        raise CorpusError(
            f"{line.where}: {shown(line.text)} could be {there}; name one of them, or leave one of them there"
        )
    hint = f"; {there} is there: is that meant?" if same else f" (svdx reads {' '.join(AUDIO)})"
    raise CorpusError(f"{line.where}: {place} has no {shown(line.text)}: add it or take the line out{hint}")


def refuse_repeats(lists: Iterable[Iterable[Line]]) -> None:
    """A CorpusError if the lists, taken together, name a track twice: over train and test that would be a leak."""
    first: dict[str, str] = {}
    for line in (line for lines in lists for line in lines):
        name = track_name(line.text)
        if name in first:
            raise CorpusError(
                f"{line.where}: {shown(line.text)} is listed already at {first[name]}; take one of them out"
            )
        first[name] = line.where


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)
