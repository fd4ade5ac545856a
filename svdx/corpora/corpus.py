"""Base class of all corpora: a root directory and the splits train, valid and test."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

from svdx.corpora.track import Track, tracks_checksum
from svdx.errors import CorpusError
from svdx.schema.types import AnyPath

SPLITS = ("train", "valid", "test")


class Corpus:
    """Music in three splits.

    A split is read on first use and then cached, so that an error in one split does not affect the others.
    Subclasses define `name` (as in data=NAME), `contents` (what the root directory must hold, for messages),
    `empty_hint` (what to do about an empty split) and `_tracks`, which reads one split.
    """

    name: ClassVar[str]
    contents: ClassVar[str]
    empty_hint: ClassVar[str]

    def __init__(self, root: AnyPath | None) -> None:
        if not root:
            raise CorpusError(f"data={self.name} needs data.root=DIR, the directory that holds {self.contents}")
        self.root = Path(str(root)).expanduser()
        if not self._is_root(self.root):
            problem = "is not a directory" if self.root.exists() else "does not exist"
            raise CorpusError(f"data.root={self.root} {problem}: give the directory that holds {self.contents}")
        self._read: dict[str, tuple[Track, ...]] = {}

    @property
    def key(self) -> str:
        """A directory name that identifies this corpus and its location, as in `folder-music-1a2b3c`."""
        identity = hashlib.sha256(f"{self.root.resolve()} {self._split_options()}".encode()).hexdigest()[:6]
        return f"{self.name}-{self.root.name}-{identity}"

    def split(self, name: str) -> tuple[Track, ...]:
        """The tracks of the split "train", "valid" or "test". Raises: CorpusError if it is missing or empty."""
        if name not in SPLITS:
            raise CorpusError(f"unknown split {name!r}: expected one of {', '.join(SPLITS)}")
        if name not in self._read:
            tracks = self._tracks(name)
            if not tracks:
                raise CorpusError(f"{self.root}: the split {name!r} of data={self.name} is empty: {self.empty_hint}")
            self._read[name] = tracks
        return self._read[name]

    def checksums(self) -> dict[str, str]:
        """The `tracks_checksum` of every split read so far."""
        return {name: tracks_checksum(tracks) for name, tracks in self._read.items()}

    def _split_options(self) -> tuple:
        """Options besides the root that determine which tracks are in which split."""
        return ()

    def _tracks(self, split: str) -> tuple[Track, ...]:
        raise NotImplementedError

    def _is_root(self, path: Path) -> bool:
        return path.is_dir()
