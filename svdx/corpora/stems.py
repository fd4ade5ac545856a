"""Corpora with isolated vocals in the layout of MUSDB18 and MUSDB18-HQ (Rafii et al., 2017 and 2019)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from svdx.audio.levels import expect_full_scale
from svdx.audio.probe import open_sound
from svdx.corpora.corpus import Corpus
from svdx.corpora.file_lists import by_stem, entries_of, is_audio, is_stem_file, stem
from svdx.corpora.labels import is_lab, read_lab
from svdx.corpora.track import Segment, Track
from svdx.errors import AudioError, CorpusError
from svdx.schema.checks import checked
from svdx.schema.types import AnyPath, NonNegativeInt, Seed

VOICE = 4  # index of the voice among the streams of a `.stem.mp4`
WINDOW = 0.05  # seconds, without overlap
BELOW = 30.0  # dB: windows are vocal if at most so far below the loud ones (95th percentile)
FLOOR = -70.0  # dBFS: windows below are never vocal, so that the dither of a silent stem does not count
SMOOTHED = 7  # windows of the median filter, 0.35 s

MUSDB18_VALID = frozenset(
    {
        "ANiMAL - Rockshow",
        "Actions - One Minute Smile",
        "Alexander Ross - Goodbye Bolero",
        "Clara Berry And Wooldog - Waltz For My Victims",
        "Fergessen - Nos Palpitants",
        "James May - On The Line",
        "Johnny Lokke - Promises & Lies",
        "Leaf - Summerghost",
        "Meaxic - Take A Step",
        "Patrick Talbot - A Reason To Leave",
        "Skelpolu - Human Mistakes",
        "Traffic Experiment - Sirens",
        "Triviul - Angelsaint",
        "Young Griffo - Pennies",
    }
)


@checked
class Stems(Corpus):
    """Mixes with vocal stems: `train|test/<track>/{mixture,vocals}.wav`, where other stems are ignored, or
    `train|test/<track>.stem.mp4` with the streams mix, drums, bass, other and vocals.

    Labels are computed from the vocal stem (`vocal_segments`), unless there is a `.lab` file in the track's directory
    or with the name of the track's file. The validation split is a part of train: MUSDB18's own 14 tracks if all of
    them exist and n_valid is 14, otherwise `n_valid` tracks drawn with a seed.
    """

    name = "stems"
    contents = "train|test/<track>/{mixture,vocals}.wav or train|test/<track>.stem.mp4"
    empty_hint = "add tracks or change data.n_valid"

    def __init__(self, root: AnyPath | None, n_valid: NonNegativeInt = 14, seed: Seed = 0) -> None:
        super().__init__(root)
        self.n_valid, self.seed = n_valid, seed

    def _split_options(self) -> tuple:
        return self.n_valid, self.seed

    def _tracks(self, split: str) -> tuple[Track, ...]:
        part, other = ("test", "train") if split == "test" else ("train", "test")
        if not (self.root / part).is_dir():
            raise CorpusError(
                f"{self.root / part} is missing: it should hold {self.contents.replace('train|test/', '')}"
            )
        places, others = _places(self.root / part), _places(self.root / other)
        for name in sorted(places.keys() & others.keys()):
            raise CorpusError(f"{places[name]} is in {self.root / other} too: remove one of them")
        if split != "test":
            valid = self._valid(sorted(places))
            places = {name: places[name] for name in places if (name in valid) == (split == "valid")}
        return tuple(_track(name, places[name]) for name in sorted(places))

    def _valid(self, names: list[str]) -> frozenset[str]:
        if self.n_valid == len(MUSDB18_VALID) and MUSDB18_VALID.issubset(names):
            return MUSDB18_VALID
        if self.n_valid > len(names):
            raise CorpusError(
                f"data.n_valid={self.n_valid}, but {self.root / 'train'} has {len(names)} tracks: lower it"
            )
        order = np.random.RandomState(self.seed).permutation(len(names))
        return frozenset(names[i] for i in order[: self.n_valid])


def _places(home: Path) -> dict[str, Path]:
    """The directory or stem file of each track."""
    places: dict[str, Path] = {}
    for path in entries_of(home):
        if path.is_symlink() and not path.exists():
            raise CorpusError(f"{path}: a broken link to {path.readlink()}: fix or remove it")
        if not (path.is_dir() or is_stem_file(path)):
            continue
        name = path.name if path.is_dir() else stem(path)
        if name in places:
            raise CorpusError(f"{places[name]} and {path} are both {name!r}: keep only one of them")
        places[name] = path
    return places


def _track(name: str, place: Path) -> Track:
    if place.is_dir():
        return _track_in(place)
    labels = labels_of(place)
    segments = read_lab(labels[0]) if labels else vocal_segments(place, VOICE)
    return Track(name, place, segments, place, VOICE, labels[0] if labels else None)


def labels_of(file: Path) -> list[Path]:
    """The label files with the name of a stem file, in the same directory."""
    return [path for path in entries_of(file.parent) if is_lab(path) and stem(path) == stem(file)]


def _track_in(folder: Path) -> Track:
    files = entries_of(folder)
    audio = by_stem(filter(is_audio, files))
    labels = list(filter(is_lab, files))
    if len(labels) > 1:
        raise CorpusError(f"{folder}: {labels[0].name} and {labels[1].name} both label it: keep only one of them")
    mixtures, vocals = audio.get("mixture", []), audio.get("vocals", [])
    for paths in (mixtures, vocals):
        if len(paths) > 1:
            raise CorpusError(f"{folder}: {paths[0].name} and {paths[1].name}: keep only one of them")
    if not mixtures:
        raise CorpusError(f"{folder / 'mixture.wav'} is missing: add the mix")
    if not vocals and not labels:
        raise CorpusError(f"{folder / 'vocals.wav'} is missing: add the isolated voice, or a .lab file")
    segments = read_lab(labels[0]) if labels else vocal_segments(vocals[0])
    voice = vocals[0] if vocals else None
    return Track(folder.name, mixtures[0], segments, voice, labels=labels[0] if labels else None)


def vocal_segments(vocals: Path, number: int | None = None) -> tuple[Segment, ...]:
    """The vocal segments of an isolated voice: windows whose level is near that of its loud windows, smoothed.

    vocals: the file; number: index of the voice among its streams, see `Track`

    Raises: CorpusError if the file cannot be read or has samples that are not finite.
    """
    rms, window, duration = _levels(vocals, number)
    quiet = max(np.percentile(rms, 95) * 10 ** (-BELOW / 20), 10 ** (FLOOR / 20))
    # The median of booleans over an odd number of windows is their majority; windows outside the track are False.
    votes = np.convolve(rms > quiet, np.ones(SMOOTHED))[SMOOTHED // 2 :][: len(rms)]
    vocal = votes > SMOOTHED / 2
    changes = np.flatnonzero(np.diff(vocal, prepend=False, append=False))
    runs = changes.reshape(-1, 2) * window
    return tuple(Segment(float(start), float(min(end, duration)), True) for start, end in runs)


def _levels(path: Path, number: int | None) -> tuple[np.ndarray, float, float]:
    """RMS of each window over all channels (full scale is 1); lengths of a window and of the file in seconds."""
    try:
        with open_sound(path, number) as file:
            window = max(1, round(WINDOW * file.rate))
            powers, rest, n, peak = [], np.empty((file.channels, 0), np.float32), 0, 0.0
            for block in file.blocks():
                n, peak = n + block.shape[1], np.max([peak, np.abs(block).max()])
                block = np.concatenate([rest, block], axis=1)
                n_complete = block.shape[1] // window * window
                powers.append(_power(block[:, :n_complete], window))
                rest = block[:, n_complete:]
            if peak < np.inf:
                expect_full_scale(path, peak)
            power, duration = np.concatenate([*powers, _power(rest, window)]), n / file.rate
            seconds = window / file.rate
    except AudioError as error:
        raise CorpusError(f"{error}: copy it again") from error
    if not power.size or not np.isfinite(power).all():
        problem = "has samples that are not finite" if power.size else "has no samples"
        raise CorpusError(f"{path}: {problem}: export it again, or add a .lab file")
    return np.sqrt(power), seconds, duration


def _power(block: np.ndarray, window: int) -> np.ndarray:
    """Mean square of each window of a block [channels, n]; the last window may be shorter."""
    if not block.shape[1]:
        return np.empty(0)
    squares = np.square(block, dtype=np.float64).mean(axis=0)
    starts = np.arange(0, len(squares), window)
    return np.add.reduceat(squares, starts) / np.minimum(window, len(squares) - starts)
