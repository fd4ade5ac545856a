"""What every corpus is: a root directory and three splits, read when they are asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import ClassVar

from svdx.corpora.checksums import digest
from svdx.corpora.track import Track
from svdx.errors import CorpusError

SPLITS = ("train", "valid", "test")


class Corpus:
    """Music in three splits. A child names itself, says what its root holds, and reads one split in `_tracks`.

    Making a corpus reads nothing; a split is read when it is first asked for, and remembered, so that what is wrong
    with a split troubles only those who need it.
    """

    name: ClassVar[str]
    holds: ClassVar[str]
    cure: ClassVar[str]  # of an empty split

    def __init__(self, root: str | Path | None) -> None:
        if not root:
            raise CorpusError(f"data={self.name} needs data.root=DIR, the directory that holds {self.holds}")
        self.root = Path(str(root)).expanduser()
        if not self._is_root(self.root):
            problem = "is not a directory" if self.root.exists() else "does not exist"
            raise CorpusError(f"data.root={self.root} {problem}: give the directory that holds {self.holds}")
        self._read: dict[str, tuple[Track, ...]] = {}

    @property
    def key(self) -> str:
        """A name for this corpus at this place, fit for a directory: `folder-music-1a2b3c`."""
        identity = hashlib.sha256(f"{self.root.resolve()} {self._choices()}".encode()).hexdigest()[:6]
        return f"{self.name}-{self.root.name}-{identity}"

    def split(self, name: str) -> tuple[Track, ...]:
        """The tracks of the split "train", "valid" or "test"; one that is missing or empty is a CorpusError."""
        if name not in SPLITS:
            raise CorpusError(f"no split is called {name!r}: ask for one of {', '.join(SPLITS)}")
        if name not in self._read:
            tracks = self._tracks(name)
            if not tracks:
                raise CorpusError(f"{self.root}: the split {name!r} of data={self.name} is empty: {self.cure}")
            self._read[name] = tracks
        return self._read[name]

    def digests(self) -> dict[str, str]:
        """The splits that were asked for, each with its tracks' `digest`."""
        return {name: digest(tracks) for name, tracks in self._read.items()}

    def _choices(self) -> tuple:
        """What beside the root decides which tracks are in which split."""
        return ()

    def _tracks(self, split: str) -> tuple[Track, ...]:
        raise NotImplementedError

    def _is_root(self, path: Path) -> bool:
        return path.is_dir()
