"""Stems: a corpus whose voice is known alone, laid out as MUSDB18 and MUSDB18-HQ are (Rafii et al., 2017 and 2019)."""

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

VOICE = 4  # which of the sounds in a `.stem.mp4` the voice is, from 0
WINDOW = 0.05  # seconds, not overlapping
BELOW = 30.0  # dB below the loud windows (95th percentile): vocal down to there
FLOOR = -70.0  # dBFS: never vocal below it, so that the dither of a silent stem is not singing
SMOOTHED = 7  # windows of the median: 0.35 s

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


class Stems(Corpus):
    """Mixes with their vocal stems: `train|test/<track>/{mixture,vocals}.wav`, other stems beside them unread, or
    `train|test/<track>.stem.mp4`, which holds the mix, drums, bass, the rest and the voice.

    Labels come from the vocal stem (`vocal_segments`), unless a `.lab` file lies in the track's directory, or has the
    name of the track's file. The validation split is taken out of train: MUSDB18's own 14 tracks if they are all there
    and 14 are asked for, else `n_valid` seeded ones.
    """

    name = "stems"
    contents = "train|test/<track>/{mixture,vocals}.wav or train|test/<track>.stem.mp4"
    empty_hint = "add tracks or change data.n_valid"

    def __init__(self, root: str | Path | None, n_valid: int = 14, seed: int = 0) -> None:
        super().__init__(root)
        if n_valid < 0:
            raise CorpusError(f"data.n_valid={n_valid} must not be negative")
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
            raise CorpusError(f"{places[name]} is in {self.root / other} too: take one of them out")
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
    """The directory, or the file, of each track."""
    places: dict[str, Path] = {}
    for path in entries_of(home):
        if path.is_symlink() and not path.exists():
            raise CorpusError(f"{path}: a broken link to {path.readlink()}: mend it or take it away")
        if not (path.is_dir() or is_stem_file(path)):
            continue
        name = path.name if path.is_dir() else stem(path)
        if name in places:
            raise CorpusError(f"{places[name]} and {path} are both {name!r}: leave one of them there")
        places[name] = path
    return places


def _track(name: str, place: Path) -> Track:
    return _track_in(place) if place.is_dir() else _track_of(name, place)


def _track_of(name: str, file: Path) -> Track:
    labels = labels_beside(file)
    segments = read_lab(labels[0]) if labels else vocal_segments(file, VOICE)
    return Track(name, file, segments, file, VOICE, labels[0] if labels else None)


def labels_beside(file: Path) -> list[Path]:
    """The label files with the name of a stem file."""
    return [path for path in entries_of(file.parent) if is_lab(path) and stem(path) == stem(file)]


def _track_in(folder: Path) -> Track:
    files = entries_of(folder)
    audio = by_stem(filter(is_audio, files))
    labels = list(filter(is_lab, files))
    if len(labels) > 1:
        raise CorpusError(f"{folder}: {labels[0].name} and {labels[1].name} both label it: leave one of them there")
    for paths in (audio.get("mixture", []), audio.get("vocals", [])):
        if len(paths) > 1:
            raise CorpusError(f"{folder}: {paths[0].name} and {paths[1].name}: leave one of them there")
    mixture, vocals = (audio.get(name, [None])[0] for name in ("mixture", "vocals"))
    if not mixture:
        raise CorpusError(f"{folder / 'mixture.wav'} is missing: put the mix there")
    if not vocals and not labels:
        raise CorpusError(f"{folder / 'vocals.wav'} is missing: put the voice alone there, or a .lab file")
    segments = read_lab(labels[0]) if labels else vocal_segments(vocals)
    return Track(folder.name, mixture, segments, vocals, labels=labels[0] if labels else None)


def vocal_segments(vocals: Path, number: int | None = None) -> tuple[Segment, ...]:
    """Where somebody sings, from the voice alone: its level in windows against its own loud windows, smoothed.

    Only vocal segments are returned. A stem that is silent throughout has none. number: of the voice in the file, see
    `Track`
    """
    rms, window, duration = _levels(vocals, number)
    quiet = max(np.percentile(rms, 95) * 10 ** (-BELOW / 20), 10 ** (FLOOR / 20))
    # The median of yes and no over an odd number of windows is what most of them say; outside the track: no.
    votes = np.convolve(rms > quiet, np.ones(SMOOTHED))[SMOOTHED // 2 :][: len(rms)]
    vocal = votes > SMOOTHED / 2
    changes = np.flatnonzero(np.diff(vocal, prepend=False, append=False))
    runs = changes.reshape(-1, 2) * window
    return tuple(Segment(float(start), float(min(end, duration)), True) for start, end in runs)


def _levels(path: Path, number: int | None) -> tuple[np.ndarray, float, float]:
    """RMS of each window over all channels, full scale 1; length of a window and of the file in seconds."""
    try:
        with open_sound(path, number) as file:
            window = max(1, round(WINDOW * file.rate))
            powers, rest, n, peak = [], np.empty((file.channels, 0), np.float32), 0, 0.0
            for block in file.blocks():
                n, peak = n + block.shape[1], np.max([peak, np.abs(block).max()])
                block = np.concatenate([rest, block], axis=1)
                whole = block.shape[1] // window * window
                powers.append(_power(block[:, :whole], window))
                rest = block[:, whole:]
            if peak < np.inf:
                expect_full_scale(path, peak)
            power, duration = np.concatenate([*powers, _power(rest, window)]), n / file.rate
            seconds = window / file.rate
    except AudioError as error:
        raise CorpusError(f"{error}: copy it again") from error
    if not power.size or not np.isfinite(power).all():
        problem = "has samples that are not numbers" if power.size else "has no samples"
        raise CorpusError(f"{path}: {problem}: export it again, or put a .lab file beside it")
    return np.sqrt(power), seconds, duration


def _power(block: np.ndarray, window: int) -> np.ndarray:
    """block: samples, [channels, n]; returns the mean square of each window, the last one perhaps shorter"""
    if not block.shape[1]:
        return np.empty(0)
    squares = np.square(block, dtype=np.float64).mean(axis=0)
    starts = np.arange(0, len(squares), window)
    return np.add.reduceat(squares, starts) / np.minimum(window, len(squares) - starts)
