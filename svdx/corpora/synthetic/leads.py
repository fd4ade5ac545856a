"""Lead instruments, with the same pitch curves as the singing voice.

They prevent a classifier from recognising singing by pitch, vibrato or glides alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svdx.corpora.synthetic.expression import RATE, Manner, control_times, hertz, pitch_curve
from svdx.corpora.synthetic.score import Note
from svdx.corpora.synthetic.sound import (
    Array,
    bin_frequencies,
    decibels,
    fluctuation,
    frame_times,
    pulse_train,
    shape,
    smooth,
)


@dataclass(frozen=True)
class Lead:
    """A lead instrument.

    compass: lowest and highest MIDI pitch
    body: resonances in dB, [bins]
    slope: of the spectrum, in dB per octave
    hollow: whether even harmonics are missing
    breath: amplitude of bow or breath noise
    attack: seconds
    staccato: sounding share of a note
    opening: dB per octave that loudness adds to the slope
    drive: strength of distortion
    manner: pitch habits
    """

    compass: tuple[float, float]
    body: Array
    slope: float
    hollow: bool
    breath: float
    attack: float
    staccato: float
    opening: float
    drive: float
    manner: Manner


def draw_lead(rng: np.random.Generator, sample_rate: int) -> Lead:
    """A random instrument between violin, flute, clarinet, saxophone, trumpet, harmonica, guitar and synthesiser."""
    frequencies = np.maximum(bin_frequencies(sample_rate), 20)
    octaves = np.log2(frequencies / 440)
    knots = np.linspace(-4.5, 5, rng.integers(8, 24))
    body = np.interp(octaves, knots, rng.normal(0, rng.uniform(1, 5), len(knots)))
    middle = rng.uniform(52, 79)
    return Lead(
        compass=(middle - 8, middle + 9),
        body=body,
        slope=rng.uniform(-14, -3),
        hollow=rng.random() < 0.25,
        breath=float(decibels(rng.uniform(-60, -22))),
        attack=float(np.exp(rng.uniform(np.log(0.008), np.log(0.12)))),
        staccato=rng.choice([1.0, 0.97, 0.85, 0.6]),
        opening=rng.uniform(0, 6),
        drive=rng.choice([0, 0, 0, 0, 3, 10]),
        manner=Manner(
            glide=rng.choice([0.0, 0.02, 0.05, 0.08]),
            scoop=rng.uniform(0.3, 2),
            scoop_chance=rng.choice([0, 0, 0, 0.3]),
            vibrato=rng.choice([0, 0, 0, 0.3]) * rng.uniform(0.5, 1.5),
            vibrato_rate=rng.uniform(4, 7.5),
            vibrato_delay=rng.uniform(0, 0.5),
            drift=rng.choice([0.0, 0.03, 0.1]),
            jitter=rng.choice([0.0, 0.02, 0.06]),
            bend=rng.choice([0.0, 0.0, 0.0, 0.15]),
        ),
    )


def play_line(rng: np.random.Generator, lead: Lead, notes: list[Note], sample_rate: int) -> Array:
    """A phrase at about 0.1 RMS, [samples]."""
    seconds = notes[-1].end - notes[0].start + 0.1
    times = control_times(seconds)
    frequency = hertz(pitch_curve(rng, notes, lead.manner, times))
    loud = _envelope(rng, lead, notes, times)
    samples = np.arange(int(seconds * sample_rate)) / sample_rate
    pulses, _ = pulse_train(np.interp(samples, times, frequency), sample_rate)
    if lead.hollow:  # subtracting the pulses an octave up, at double amplitude, leaves the odd harmonics
        pulses = pulses - pulse_train(np.interp(samples, times, 2 * frequency), sample_rate)[0] * 0.9
    at = frame_times(len(samples), sample_rate)
    octaves = np.log2(np.maximum(bin_frequencies(sample_rate), 20) / np.interp(at, times, frequency)[:, None])
    strength = np.interp(at, times, loud)[:, None]
    slopes = lead.slope + lead.opening * (np.clip(strength, 0, 1.5) - 1)
    gains = decibels(lead.body + slopes * np.maximum(octaves, 0)) * 0.1
    line = shape(pulses * np.interp(samples, times, loud).astype(np.float32), gains)
    noise = rng.standard_normal(len(samples)).astype(np.float32) * np.interp(samples, times, loud).astype(np.float32)
    line += shape(noise, lead.breath * decibels(lead.body))
    if lead.drive:
        line = np.tanh(line * lead.drive * 8) * 0.12
    return line.astype(np.float32)


def _envelope(rng: np.random.Generator, lead: Lead, notes: list[Note], times: Array) -> Array:
    """Loudness over a phrase, [n]: attacks of the notes and slow swells."""
    begin = notes[0].start
    curve = np.zeros(len(times))
    for note in notes:
        into = times - (note.start - begin)
        length = note.duration * lead.staccato
        gate = np.clip(into / lead.attack, 0, 1) * np.clip((length - into) / 0.03, 0, 1)
        curve = np.maximum(curve, gate * note.strength)
    swell = decibels(1.5 * fluctuation(rng, times, 1.5))
    return smooth(curve * swell, int(0.015 * RATE))
