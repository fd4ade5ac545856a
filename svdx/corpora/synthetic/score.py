"""What is played: keys, chords and melodies. No sound is made here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SCALES = (
    (0, 2, 4, 5, 7, 9, 11),  # major
    (0, 2, 3, 5, 7, 8, 10),  # minor
    (0, 2, 3, 5, 7, 9, 10),  # dorian
    (0, 2, 4, 5, 7, 9, 10),  # mixolydian
    (0, 2, 3, 5, 7, 8, 11),  # harmonic minor
)
PROGRESSIONS = (
    (0, 4, 5, 3),
    (0, 3, 4, 0),
    (5, 3, 0, 4),
    (1, 4, 0, 0),
    (0, 5, 1, 4),
    (0, 6, 3, 0),
    (0, 2, 3, 4),
    (0, 0),
)


@dataclass(frozen=True)
class Note:
    """start and duration in seconds; pitch as a MIDI number, fractions allowed; strength 0 to 1."""

    start: float
    duration: float
    pitch: float
    strength: float = 0.8

    @property
    def end(self) -> float:
        return self.start + self.duration


@dataclass(frozen=True)
class Piece:
    """The frame of one track: seconds per beat, beats per bar, tonic (MIDI, fractions tune it), scale, harmony."""

    seconds: float
    beat: float
    beats: int
    tonic: float
    scale: tuple[int, ...]
    progression: tuple[int, ...]
    voices: int
    swing: float

    @property
    def bar(self) -> float:
        return self.beat * self.beats

    def degree(self, index: int) -> float:
        """The pitch of a scale degree, counted from the tonic, over any number of octaves."""
        octave, step = divmod(int(index), len(self.scale))
        return self.tonic + 12 * octave + self.scale[step]

    def chord(self, bar: int) -> list[float]:
        """Pitches of a bar's chord in close position from the octave of the tonic."""
        root = self.progression[bar % len(self.progression)]
        return [self.degree(root + 2 * step) for step in range(self.voices)]


def write_piece(rng: np.random.Generator, seconds: float) -> Piece:
    """A piece with everything drawn at random."""
    return Piece(
        seconds=seconds,
        beat=60 / rng.uniform(60, 165),
        beats=int(rng.choice([3, 4, 4, 4])),
        tonic=float(rng.integers(45, 57)) + rng.normal(0, 0.15),
        scale=SCALES[rng.integers(len(SCALES))],
        progression=tuple(int(degree) for degree in PROGRESSIONS[rng.integers(len(PROGRESSIONS))]),
        voices=int(rng.choice([3, 3, 4, 5])),
        swing=float(rng.choice([0, 0, 0, 0.12, 0.17])),
    )


def spans(rng: np.random.Generator, start: float, end: float, rests: tuple[float, float]) -> list[tuple[float, float]]:
    """Phrases of about 1 to 8 s that fill [start, end), as (start, end) in seconds.

    rests: the median and the longest of the rests between them, in seconds; half of real songs' are below 0.6 s.
    """
    found = []
    now = start + rng.uniform(0, 0.6)
    while end - now > 0.8:
        length = min(np.clip(rng.lognormal(0.85, 0.55), 0.8, 8), end - now)
        found.append((now, now + length))
        now += length + float(np.clip(rng.lognormal(np.log(rests[0]), 0.5), 0.3, rests[1]))
    return found


def melody(
    rng: np.random.Generator, piece: Piece, span: tuple[float, float], compass: tuple[float, float], rate: float
) -> list[Note]:
    """One phrase over `span` (seconds) within `compass` (MIDI pitches), of about `rate` notes a second."""
    pitches = [p for p in (piece.degree(d) for d in range(-21, 36)) if compass[0] <= p <= compass[1]]
    place = int(rng.integers(len(pitches) // 4, max(3 * len(pitches) // 4, len(pitches) // 4 + 1)))
    units = piece.beat * np.array([0.25, 0.5, 0.75, 1, 1.5, 2, 3])
    weights = np.exp(-0.5 * (np.log(units * rate) / rng.uniform(0.25, 0.7)) ** 2) + 1e-6
    now, notes = span[0], []
    while span[1] - now > 0.12:
        length = min(rng.choice(units, p=weights / weights.sum()) * rng.uniform(0.96, 1.04), 3.0)
        length = max(length, 0.11)
        if span[1] - now - length < 0.15:
            length = span[1] - now
        notes.append(Note(now, length, pitches[place], float(rng.uniform(0.5, 1))))
        pull = (len(pitches) / 2 - place) * 0.15
        step = 0 if rng.random() < 0.2 else int(np.rint(rng.normal(pull, 1.7)))
        place = int(np.clip(place + step, 0, len(pitches) - 1))
        now += length
    return notes
