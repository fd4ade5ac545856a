"""The score of a piece: key, chords, form and melodies."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from svdx.corpora.synthetic.sound import Array

SCALES = (
    (0, 2, 4, 5, 7, 9, 11),  # major
    (0, 2, 3, 5, 7, 8, 10),  # minor
    (0, 2, 3, 5, 7, 9, 10),  # dorian
    (0, 2, 4, 5, 7, 9, 10),  # mixolydian
    (0, 2, 3, 5, 7, 8, 11),  # harmonic minor
)
PROGRESSIONS = (  # roots as scale degrees
    (0, 4, 5, 3), (0, 3, 4, 0), (5, 3, 0, 4), (1, 4, 0, 0), (0, 5, 1, 4), (0, 6, 3, 0), (0, 2, 3, 4), (0, 0),
)  # fmt: skip
KINDS = ("sung", "bare", "instrumental", "solo", "groove")
SHARES = (0.68, 0.03, 0.19, 0.02, 0.08)


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
    """Properties of a piece: seconds per beat, beats per bar, tonic (fractional MIDI pitch), scale and harmony."""

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
        """The pitch of a scale degree relative to the tonic; degrees continue over octaves."""
        octave, step = divmod(int(index), len(self.scale))
        return self.tonic + 12 * octave + self.scale[step]

    def chord(self, bar: int) -> list[float]:
        """Pitches of a bar's chord in close position, in the octave of the tonic."""
        root = self.progression[bar % len(self.progression)]
        return [self.degree(root + 2 * step) for step in range(self.voices)]


def write_piece(rng: np.random.Generator, seconds: float) -> Piece:
    """A random piece."""
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


@dataclass(frozen=True)
class Section:
    """A section [start, end) in seconds.

    kind: sung (with the band), bare (voice alone), instrumental (band with a lead), solo (lead alone) or groove (band)
    """

    start: float
    end: float
    kind: str

    @property
    def vocal(self) -> bool:
        return self.kind in ("sung", "bare")


def plan(rng: np.random.Generator, piece: Piece) -> list[Section]:
    """Random sections, each about a quarter of a short piece or 6 to 24 s of a long one; at least one is sung."""
    sections: list[Section] = []
    now, longest = 0.0, float(np.clip(piece.seconds / 3, 4, 24))
    while now < piece.seconds - 1:
        end = min(now + rng.uniform(0.45, 1) * longest, piece.seconds)
        end = piece.seconds if piece.seconds - end < 2 else end
        shares = np.array(SHARES)
        if sections:  # make singing and rest alternate more often
            shares[:2] *= 0.75 if sections[-1].vocal else 1.8
        sections.append(Section(now, end, str(rng.choice(KINDS, p=shares / shares.sum()))))
        now = end
    if not any(section.vocal for section in sections):
        chosen = rng.integers(len(sections))
        sections[chosen] = replace(sections[chosen], kind="sung")
    return sections


def section_at(sections: list[Section], times: Array) -> NDArray[np.intp]:
    """The index of the section at each of `times` [n], in seconds."""
    return np.searchsorted([section.start for section in sections], times, side="right") - 1


def spans(rng: np.random.Generator, start: float, end: float, rests: tuple[float, float]) -> list[tuple[float, float]]:
    """Phrases of about 1 to 8 s that fill [start, end), as (start, end) in seconds.

    rests: median and maximum length of the rests between phrases, in seconds. Half of the rests in real songs are
        shorter than 0.6 s
    """
    phrases = []
    now = start + rng.uniform(0, 0.6)
    while end - now > 0.8:
        length = min(np.clip(rng.lognormal(0.85, 0.55), 0.8, 8), end - now)
        phrases.append((now, now + length))
        now += length + float(np.clip(rng.lognormal(np.log(rests[0]), 0.5), 0.3, rests[1]))
    return phrases


def melody(
    rng: np.random.Generator, piece: Piece, span: tuple[float, float], compass: tuple[float, float], rate: float
) -> list[Note]:
    """A phrase over `span` (seconds) within `compass` (MIDI pitches) of about `rate` notes per second."""
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
