"""Pitch curves of notes with glides, scoops, vibrato and drift, for voices and lead instruments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from svdx.corpora.synthetic.score import Note
from svdx.corpora.synthetic.sound import Array, fluctuation, smooth

RATE = 200  # points per second of a control curve


@dataclass(frozen=True)
class Manner:
    """A performer's pitch habits, in semitones unless stated otherwise.

    glide: seconds from one note to the next
    scoop, scoop_chance: start below the pitch of a note, and how often
    vibrato: depth, at vibrato_rate Hz, after vibrato_delay seconds
    drift, jitter: slow and fast random variation
    bend: variation of the slope and curvature within a note
    """

    glide: float
    scoop: float
    scoop_chance: float
    vibrato: float
    vibrato_rate: float
    vibrato_delay: float
    drift: float
    jitter: float
    bend: float


def control_times(seconds: float) -> Array:
    """Times of a control curve from 0 to `seconds`, [n]."""
    return np.arange(int(np.ceil(seconds * RATE)) + 1) / RATE


def pitch_curve(rng: np.random.Generator, notes: list[Note], manner: Manner, times: Array) -> Array:
    """The MIDI pitch at `times` [n], in seconds from the start of the first note."""
    begin = notes[0].start
    onsets = np.array([note.start - begin for note in notes])
    current = np.clip(np.searchsorted(onsets, times, side="right") - 1, 0, len(notes) - 1)
    pitches = np.array([note.pitch for note in notes]) + rng.normal(0, manner.drift, len(notes))
    curve = smooth(pitches[current], int(manner.glide * RATE))
    into = times - onsets[current]
    scoops = np.where(rng.random(len(notes)) < manner.scoop_chance, rng.normal(manner.scoop, 0.5, len(notes)), 0)
    lengths = rng.uniform(0.04, 0.16, len(notes))
    curve = curve - scoops[current] * np.exp(-into / lengths[current])
    along = np.clip(into / np.array([note.duration for note in notes])[current], 0, 1)
    lean, bow = rng.normal(0, manner.bend, (2, len(notes)))[:, current]
    curve = curve + smooth(lean * (along - 0.5) + bow * np.sin(np.pi * along), int(0.06 * RATE))
    depth = manner.vibrato * rng.uniform(0.2, 1.3, len(notes))[current]
    fade = np.clip((into - manner.vibrato_delay) / 0.25, 0, 1)
    rate = manner.vibrato_rate * (1 + 0.06 * fluctuation(rng, times, 2))
    sway = np.sin(2 * np.pi * np.cumsum(rate) / RATE + rng.uniform(0, 6))
    wander = manner.drift * fluctuation(rng, times, 3) + manner.jitter * fluctuation(rng, times, 60)
    return curve + depth * fade * sway + wander


def hertz(pitch: Array | float) -> Any:
    """Frequency in Hz of a MIDI pitch, a float or an array."""
    return 440.0 * 2 ** ((np.asarray(pitch) - 69) / 12)
