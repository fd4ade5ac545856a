"""RWC Popular Music (Goto et al., 2002), 100 songs, with the vocal activity annotations of Mauch et al. (2011)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from svdx.audio.probe import open_sound
from svdx.corpora.corpus import Corpus
from svdx.corpora.file_lists import files_below, is_audio
from svdx.corpora.labels import read_change_points
from svdx.corpora.track import Track
from svdx.errors import AudioError, CorpusError
from svdx.schema.checks import checked
from svdx.schema.types import AnyPath, NonNegativeInt, Seed

PIECE = re.compile(r"RM-P(\d{3})(?!\d)", re.IGNORECASE)
NUMBER = re.compile(r"(?<!\d)\d{3}(?!\d)")
LABELS = ".VOCA_INST.TXT"


@checked
class Rwc(Corpus):
    """RWC Popular Music: audio and `RM-P001.VOCA_INST.TXT` files anywhere below one directory.

    Audio files have the number of the piece in their names, as in `RM-P001.wav` or `001 Eien no replica.flac`.
    RWC defines no splits. Random splits are drawn with a seed: first `n_test` test pieces, then `n_valid` validation
    pieces; the rest is for training. The test pieces do not depend on `n_valid`.
    """

    name = "rwc"
    contents = "the audio and the RM-P***.VOCA_INST.TXT files of RWC Popular Music"
    empty_hint = "change data.n_test or data.n_valid"

    def __init__(
        self, root: AnyPath | None, n_test: NonNegativeInt = 20, seed: Seed = 0, n_valid: NonNegativeInt = 16
    ) -> None:
        super().__init__(root)
        self.n_test, self.n_valid, self.seed = n_test, n_valid, seed

    def _split_options(self) -> tuple:
        return self.n_test, self.n_valid, self.seed

    def _tracks(self, split: str) -> tuple[Track, ...]:
        pieces = self._pieces()
        return tuple(_track(number, *pieces[number]) for number in sorted(self._drawn(sorted(pieces))[split]))

    def _drawn(self, numbers: list[str]) -> dict[str, list[str]]:
        n_held_out = self.n_test + self.n_valid
        if n_held_out > len(numbers):
            raise CorpusError(
                f"{self.root} holds {len(numbers)} pieces, too few for data.n_test={self.n_test} and "
                f"data.n_valid={self.n_valid}: lower them"
            )
        drawn = [numbers[i] for i in np.random.RandomState(self.seed).permutation(len(numbers))]
        return {"test": drawn[: self.n_test], "valid": drawn[self.n_test : n_held_out], "train": drawn[n_held_out:]}

    def _pieces(self) -> dict[str, tuple[Path, Path]]:
        """Audio and label file of every piece number."""
        files = list(files_below(self.root))
        audio = _by_number(filter(is_audio, files))
        labels = _by_number(path for path in files if path.name.upper().endswith(LABELS))
        if not audio or not labels:
            missing = f"RM-P***{LABELS} files" if audio else "audio with piece numbers in its names, as in RM-P001.wav"
            raise CorpusError(f"{self.root} holds no {missing}: give as data.root the directory that holds both")
        for number in sorted(audio.keys() ^ labels.keys()):
            path, missing = (audio[number], "label file") if number in audio else (labels[number], "audio")
            raise CorpusError(f"{path}: no {missing} RM-P{number} below {self.root}: add it, or remove this file")
        return {number: (audio[number], labels[number]) for number in audio}


def _by_number(paths: Iterable[Path]) -> dict[str, Path]:
    by_number: dict[str, Path] = {}
    for path in paths:
        number = _number(path.name)
        if number in by_number:
            raise CorpusError(f"{by_number[number]} and {path} are both piece {number}: keep only one of them")
        if number:
            by_number[number] = path
    return by_number


def _number(name: str) -> str | None:
    """The piece number in a file name: after RM-P, or else the only three-digit number."""
    piece = PIECE.search(name)
    numbers = [piece[1]] if piece else NUMBER.findall(name)
    return numbers[0] if len(numbers) == 1 else None


def _track(number: str, audio: Path, labels: Path) -> Track:
    try:
        with open_sound(audio) as file:
            duration = file.length() / file.rate
    except AudioError as error:
        raise CorpusError(f"{error}: copy it again or remove it") from error
    return Track(f"RM-P{number}", audio, read_change_points(labels, duration), labels=labels)
