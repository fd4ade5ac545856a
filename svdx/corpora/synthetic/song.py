"""Composing one song: write, arrange and perform the piece, and mix its stems.

All processing of the mix is either linear or a gain over time, and applied to the voice in the same way, so that the
mix minus the voice is the accompaniment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svdx.corpora.synthetic.arrangement import Stems, arrange
from svdx.corpora.synthetic.score import write_piece
from svdx.corpora.synthetic.sound import Array, convolve, decibels, equalise, room

GAP = 0.3  # seconds; shorter rests between phrases count as singing
CEILING = 0.97  # peak level


@dataclass(frozen=True)
class Song:
    """audio: the mix, [samples]; vocals: the voice at its level in the mix, [samples];
    singing: disjoint intervals (start, end) in seconds, ascending"""

    audio: Array
    vocals: Array
    singing: list[tuple[float, float]]


def compose(rng: np.random.Generator, seconds: float, sample_rate: int) -> Song:
    """Write, perform and mix a song that depends on `rng` alone."""
    stems = arrange(rng, write_piece(rng, seconds), sample_rate)
    audio, vocals = mix(rng, stems, sample_rate)
    return Song(audio, vocals, join(stems.phrases, GAP))


def join(phrases: list[tuple[float, float]], gap: float) -> list[tuple[float, float]]:
    """Join phrases that are less than `gap` seconds apart."""
    joined: list[tuple[float, float]] = []
    for start, end in phrases:
        if joined and start - joined[-1][1] < gap:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def mix(rng: np.random.Generator, stems: Stems, sample_rate: int) -> tuple[Array, Array]:
    """The mix and the voice as it sounds in the mix, [samples] each, with peaks below full scale."""
    singing = stems.voice + stems.breaths * decibels(rng.uniform(-6, 6))
    singing = _compress(singing, rng.choice([0, 0.4, 0.7]), sample_rate)
    leads = _compress(stems.leads, rng.choice([0, 0.4]), sample_rate)
    singing = _place(rng, _colour(rng, singing, sample_rate), sample_rate, wet=rng.uniform(-30, -7))
    leads = _place(rng, _colour(rng, leads, sample_rate), sample_rate, wet=rng.uniform(-30, -7))
    band = _place(rng, _colour(rng, stems.band, sample_rate), sample_rate, wet=rng.uniform(-20, -1))
    above = rng.uniform(0, 10)
    accompaniment = band + leads * decibels(above + rng.uniform(-8, 0))
    accompaniment += decibels(rng.uniform(-75, -40)) * rng.standard_normal(len(band)).astype(np.float32)
    return _master(rng, accompaniment, singing * decibels(above), sample_rate)


def _colour(rng: np.random.Generator, signal: Array, sample_rate: int) -> Array:
    """Gentle random equalisation, as by a microphone and a mixing desk."""
    hertz = np.array([30, 80, 200, 500, 1200, 3000, 6000, 11000])
    gains = rng.normal(0, 2, len(hertz)) + rng.normal(0, 1) * np.linspace(-3, 3, len(hertz))
    gains[0] -= rng.uniform(0, 20)
    return equalise(signal, hertz, gains, sample_rate)


def _place(rng: np.random.Generator, signal: Array, sample_rate: int, wet: float) -> Array:
    """The signal in a room whose reverberation is `wet` dB relative to the direct sound, sometimes with an echo."""
    seconds = float(np.exp(rng.uniform(np.log(0.15), np.log(2.5))))
    out = signal + convolve(signal, room(rng, seconds, sample_rate)) * decibels(wet)
    if rng.random() < 0.1:
        delay = int(rng.uniform(0.1, 0.5) * sample_rate)
        out[delay:] += signal[:-delay] * decibels(rng.uniform(-25, -12))
    return out.astype(np.float32)


def _compress(signal: Array, strength: float, sample_rate: int) -> Array:
    return signal * _gain(signal, strength, sample_rate) if strength else signal


def _gain(signal: Array, strength: float, sample_rate: int) -> Array:
    """Gains of a slow compressor, [samples]; strength: 0 to 1, the share of level changes above the mean to remove"""
    step = int(0.02 * sample_rate)
    padded = np.pad(signal, (0, -len(signal) % step))
    power = np.square(padded).reshape(-1, step).mean(axis=1)
    power = np.convolve(np.pad(power, 4, mode="edge"), np.hanning(11)[1:-1] / 5, mode="valid")
    loud = np.sqrt(power + 1e-8)
    threshold = 0.5 * np.sqrt(np.mean(power) + 1e-8)
    gains = np.minimum(1, (loud / threshold) ** -strength)
    at = np.arange(len(signal)) / step - 0.5
    return np.interp(at, np.arange(len(gains)), gains).astype(np.float32)


def _master(rng: np.random.Generator, accompaniment: Array, singing: Array, sample_rate: int) -> tuple[Array, Array]:
    """Mix and voice, after the same equalisation, band limits and gains on accompaniment and voice."""
    both = [
        _limit_band(np.random.default_rng(seed), part, sample_rate)
        for seed in [int(rng.integers(2**32))]
        for part in (accompaniment, singing)
    ]
    gain = _gain(both[0] + both[1], rng.choice([0, 0.3, 0.6]), sample_rate)
    accompaniment, singing = (part * gain for part in both)
    total = accompaniment + singing
    loud = np.sqrt(np.mean(np.square(total)) + 1e-12)
    level = decibels(rng.uniform(-21, -9)) / loud
    level = min(level, CEILING / (np.abs(total).max() + 1e-9), CEILING / (np.abs(singing).max() + 1e-9))
    return (total * level).astype(np.float32), (singing * level).astype(np.float32)


def _limit_band(rng: np.random.Generator, signal: Array, sample_rate: int) -> Array:
    """A spectral tilt and, for one song in ten, the low-pass filter of a tape or a 16 kHz file."""
    hertz = np.geomspace(30, 11000, 9)
    gains = np.linspace(1, -1, 9) * rng.uniform(-3, 3) + rng.normal(0, 1, 9)
    signal = equalise(signal, hertz, gains, sample_rate)
    if rng.random() < 0.1:
        top = np.exp(rng.uniform(np.log(4500), np.log(10000)))
        signal = equalise(signal, np.array([20, top, 1.1 * top, 12000]), np.array([0, 0, -60, -90]), sample_rate)
    return signal
