"""The band: chords, bass and drums."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from svdx.corpora.synthetic import drums, instruments
from svdx.corpora.synthetic.score import Piece, Section, section_at
from svdx.corpora.synthetic.sound import Array, add_at, chorus, decibels, level

STEPS: dict[str, list[float]] = {  # beats of a bar on which chords of each style start
    "block": [0],
    "strum": [0, 1, 1.5, 2, 3, 3.5],
    "arpeggio": [],
    "stab": [1, 3],
    "broken": [0, 2],
}


def play_band(rng: np.random.Generator, piece: Piece, sections: list[Section], sample_rate: int) -> Array:
    """Chords, bass and drums, [samples]."""
    bars = int(np.ceil(piece.seconds / piece.bar))
    middles = (np.arange(bars) + 0.5) * piece.bar
    plays = np.array([sections[i].kind not in ("bare", "solo") for i in section_at(sections, middles)])
    band = np.zeros(int(piece.seconds * sample_rate), np.float32)
    layers = int(rng.choice([1, 2, 3, 4]))
    for _ in range(layers):
        busy = plays & _present(rng, sections, middles)
        layer = _play_chords(rng, piece, busy, sample_rate)
        if rng.random() < 0.5:
            layer = chorus(rng, layer, int(rng.integers(1, 4)), rng.uniform(0.0007, 0.005), sample_rate)
        band += level(layer) * decibels(rng.uniform(-9, 0))
    if rng.random() < 0.92:
        busy = plays & _present(rng, sections, middles)
        band += level(_play_bass(rng, piece, busy, sample_rate)) * decibels(rng.uniform(-1, 8))
    if rng.random() < 0.7:
        busy = plays & _present(rng, sections, middles)
        band += level(drums.play_drums(rng, piece, busy, sample_rate)) * decibels(rng.uniform(-10, 4))
    return level(band)


def _present(rng: np.random.Generator, sections: list[Section], middles: Array) -> NDArray[np.bool_]:
    """Whether a layer plays in each bar, [bars] bool; drawn per section."""
    plays = rng.random(len(sections)) < 0.92
    return plays[section_at(sections, middles)]


def _play_chords(rng: np.random.Generator, piece: Piece, busy: NDArray[np.bool_], sample_rate: int) -> Array:
    """One chord instrument in one of five styles, [samples]."""
    out = np.zeros(int(piece.seconds * sample_rate), np.float32)
    timbre = instruments.draw_timbre(rng)
    style = rng.choice(list(STEPS))
    shift, spread = rng.choice([0, 12, 12, 24]), rng.choice([0.0, 0.01, 0.03])
    steps = STEPS[str(style)]
    sounds: dict[tuple[float, float], Array] = {}

    def add(pitch: float, length: float, when: float) -> None:
        key = (pitch, round(length, 2))
        if key not in sounds:
            sounds[key] = instruments.play(rng, timbre, pitch, length, sample_rate)
        add_at(out, sounds[key] * np.float32(rng.uniform(0.3, 1)), int(when * sample_rate))

    pace, ring = piece.beat / rng.choice([1, 2, 2, 3, 4]), rng.choice([1.0, 2.0, 4.0])
    for bar in np.flatnonzero(busy).tolist():
        chord = [pitch + shift for pitch in piece.chord(bar)]
        begin = bar * piece.bar
        for number, beat in enumerate(step for step in steps if step < piece.beats):
            length = 0.2 * piece.beat if style == "stab" else (piece.bar if style == "block" else piece.beat)
            for string, pitch in enumerate(chord):
                add(pitch, length, begin + beat * piece.beat + string * spread * (1 if number % 2 else 0.7))
        if style == "arpeggio":
            for number in range(int(piece.bar / pace)):
                add(chord[(number * 2 if number % 4 == 3 else number) % len(chord)], pace * ring, begin + number * pace)
    return out


def _play_bass(rng: np.random.Generator, piece: Piece, busy: NDArray[np.bool_], sample_rate: int) -> Array:
    """The bass, [samples]: roots or a walking line."""
    out = np.zeros(int(piece.seconds * sample_rate), np.float32)
    timbre, walking = instruments.draw_bass(rng), rng.random() < 0.5
    pace = piece.beat * rng.choice([0.5, 1, 1, 2])
    for bar in np.flatnonzero(busy).tolist():
        chord = piece.chord(bar)
        for number in range(int(np.ceil(piece.bar / pace))):
            pitch = chord[rng.integers(len(chord))] if walking and number else chord[0]
            pitch -= 12 * (1 + (pitch > 57))
            sound = instruments.play(rng, timbre, pitch, pace * rng.choice([0.6, 0.95]), sample_rate)
            add_at(out, sound, int((bar * piece.bar + number * pace) * sample_rate))
    return out
