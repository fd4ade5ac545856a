"""The Jamendo corpus (Ramona, Richard and David, 2008): 93 songs under free licences with labels of singing."""

from __future__ import annotations

import filecmp
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from svdx.corpora.corpus import Corpus
from svdx.corpora.file_lists import Line, by_stem, files_below, find_audio, is_audio, read_lines, refuse_repeats, stem
from svdx.corpora.folder import Folder
from svdx.corpora.labels import is_lab, read_lab
from svdx.corpora.track import Track
from svdx.errors import CorpusError
from svdx.files.archives import unpack

SIZES = {"train": 61, "valid": 16, "test": 16}
SPLIT_NAMES = {"train": "train", "valid": "valid", "validation": "valid", "val": "valid", "test": "test"}
LIST_FILE = re.compile(r"(?:jam_)?(train|valid|validation|val|test)(?:_list)?(?:\.txt)?", re.IGNORECASE)
SOURCE = "jamando.zip of https://zenodo.org/records/2585988"

log = logging.getLogger(__name__)


class Jamendo(Corpus):
    """Jamendo in the layout of `Folder` or as published: the zip archive, its directory, or its contents.

    The archive is unpacked next to itself when a split is first read. Its contents must include `.lab` files and audio
    files of the same names anywhere, and the splits either as list files (`filelists/train`, `jam_train_list.txt`) or
    as directories of audio (`train/`).
    """

    name = "jamendo"
    contents = f"audio/, labels/ and filelists/, or {SOURCE}"
    empty_hint = "add file names to its list"

    def _tracks(self, split: str) -> tuple[Track, ...]:
        home = self._home()
        files = list(files_below(home))
        layout = _folder_layout(files)
        tracks = Folder(layout).split(split) if layout else _discovered(home, files, split)
        if len(tracks) != SIZES[split]:
            log.warning("%s: %d tracks in the split %r; Jamendo has %d", home, len(tracks), split, SIZES[split])
        return tracks

    def _home(self) -> Path:
        """The directory with the music; unpacks the archive if necessary."""
        if self.root.is_file():
            return unpack(self.root)
        files = list(files_below(self.root))
        archives = [path for path in files if path.suffix.lower() == ".zip" and path.parent == self.root]
        if any(map(is_lab, files)) or not archives:
            return self.root
        return unpack(min(archives, key=lambda path: not path.stem.lower().startswith(("jamando", "jamendo"))))

    def _is_root(self, path: Path) -> bool:
        return path.is_dir() or (path.is_file() and path.suffix.lower() == ".zip")


def _folder_layout(files: list[Path]) -> Path | None:
    """The directory with the layout of `Folder`, at any depth, or None."""
    lists = {path.parent.parent for path in files if path.parent.name == "filelists"}
    audio = {path.parent.parent for path in files if path.parent.name == "audio" and is_audio(path)}
    labels = {path.parent.parent for path in files if path.parent.name == "labels"}
    return min(lists & audio & labels, default=None)


def _discovered(home: Path, files: list[Path], split: str) -> tuple[Track, ...]:
    audio = by_stem(filter(is_audio, files))
    labels = by_stem(filter(is_lab, files))
    if not audio or not labels:
        raise CorpusError(_nothing_found(home, files))
    chosen = _listed(home, files, audio, split) or _sorted_into_folders(home, audio, split)
    return tuple(_track(path, _label(stem(path), labels, home)) for path in chosen)


def _track(audio: Path, labels: Path) -> Track:
    return Track(stem(audio), audio, read_lab(labels), labels=labels)


def _nothing_found(home: Path, files: list[Path]) -> str:
    packed = [path.name for path in files if path.suffix.lower() in (".zip", ".gz", ".tgz", ".tar")]
    hint = f"unpack {', '.join(packed)} there" if packed else f"download {SOURCE}"
    missing = ".lab files" if any(map(is_audio, files)) else "audio with .lab files"
    return f"{home}: contains no {missing}: {hint}, and give its path or its directory as data.root"


def _listed(home: Path, files: list[Path], audio: Mapping[str, list[Path]], split: str) -> list[Path]:
    """The audio files of a split in the order of its list; empty if there are no lists."""
    lists: dict[str, list[Line]] = {}
    for path in files:
        match = LIST_FILE.fullmatch(path.name)
        if match:
            lists.setdefault(SPLIT_NAMES[match[1].lower()], [_entry(line) for line in read_lines(path)])
    refuse_repeats(lists.values())
    return [find_audio(line, audio, str(home)) for line in lists.get(split, [])]


def _entry(line: Line) -> Line:
    """A line of a list reduced to a file name; the published lists name the transcriptions, `Song.trs`."""
    return replace(line, text=re.sub(r"\.trs$", "", re.split(r"[/\\]", line.text)[-1]))


def _sorted_into_folders(home: Path, audio: Mapping[str, list[Path]], split: str) -> list[Path]:
    """The audio files in a directory named like the split, sorted by name."""
    chosen = []
    for name in sorted(audio):
        splits = {where for path in audio[name] if (where := _split_of(path.relative_to(home)))}
        if len(splits) > 1 or (split in splits and len(audio[name]) > 1):
            raise CorpusError(f"{audio[name][0]} and {audio[name][1]} are both {name!r}: keep only one of them")
        chosen += audio[name] if split in splits else []
    if not chosen:
        raise CorpusError(
            f"{home}: cannot tell which tracks are in the split {split!r}: write {home / 'filelists' / split}"
        )
    return chosen


def _split_of(path: Path) -> str | None:
    splits = [SPLIT_NAMES[part.lower()] for part in path.parts[:-1] if part.lower() in SPLIT_NAMES]
    return splits[-1] if splits else None


def _label(name: str, labels: Mapping[str, list[Path]], home: Path) -> Path:
    if name not in labels:
        raise CorpusError(f"{home}: found audio {name!r} but no {name}.lab: get the label file from {SOURCE}")
    first, *others = labels[name]
    for other in others:
        if not filecmp.cmp(other, first, shallow=False):
            raise CorpusError(f"{first} and {other} contradict each other: keep only one of them")
    return first
