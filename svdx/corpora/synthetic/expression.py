"""How a line of notes is bent into a pitch curve: glides, scoops, vibrato and drift, for voices and leads alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svdx.corpora.synthetic.score import Note
from svdx.corpora.synthetic.sound import Array, fluctuation, smooth

RATE = 200  # points a second of a control curve


@dataclass(frozen=True)
class Manner:
    """A performer's habits of pitch.

    glide: seconds from one note to the next; scoop: semitones below a note's pitch at which a phrase or note begins;
    vibrato: semitones either way, at vibrato_rate Hz, fading in after vibrato_delay seconds of a note;
    drift: semitones of slow wandering; jitter: of fast wandering; bend: semitones by which a note leans and bows.
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
    """Instants of a control curve from 0 to `seconds`, [n]."""
    return np.arange(int(np.ceil(seconds * RATE)) + 1) / RATE


def pitch_curve(rng: np.random.Generator, notes: list[Note], manner: Manner, times: Array) -> Array:
    """The pitch (MIDI) at `times` [n], in seconds from the first note's start."""
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


def hertz(pitch: Array | float) -> Array | float:
    """MIDI pitch -> frequency in Hz."""
    return 440.0 * 2 ** ((np.asarray(pitch) - 69) / 12)
