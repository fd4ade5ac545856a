"""From stems to a record: levels, equalisation, rooms, compression, band limits and noise.

Whatever is done to the mix is linear, or a gain in time, and is done to the voice alone in the same way, so that the
mix minus the voice is the accompaniment.
"""

from __future__ import annotations

import numpy as np

from svdx.corpora.synthetic.arrangement import Stems
from svdx.corpora.synthetic.sound import Array, convolve, decibels, equalise, room

CEILING = 0.97


def mix(rng: np.random.Generator, stems: Stems, sample_rate: int) -> tuple[Array, Array]:
    """The mix and the voice in it, [samples] each, with peaks below full scale."""
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
    """A microphone and a mixing desk: gentle, random equalisation."""
    hertz = np.array([30, 80, 200, 500, 1200, 3000, 6000, 11000])
    gains = rng.normal(0, 2, len(hertz)) + rng.normal(0, 1) * np.linspace(-3, 3, len(hertz))
    gains[0] -= rng.uniform(0, 20)
    return equalise(signal, hertz, gains, sample_rate)


def _place(rng: np.random.Generator, signal: Array, sample_rate: int, wet: float) -> Array:
    """The signal in a room whose reverberation is `wet` dB over the direct sound; sometimes an echo."""
    seconds = float(np.exp(rng.uniform(np.log(0.15), np.log(2.5))))
    out = signal + convolve(signal, room(rng, seconds, sample_rate)) * decibels(wet)
    if rng.random() < 0.1:
        delay = int(rng.uniform(0.1, 0.5) * sample_rate)
        out[delay:] += signal[:-delay] * decibels(rng.uniform(-25, -12))
    return out.astype(np.float32)


def _compress(signal: Array, strength: float, sample_rate: int) -> Array:
    return signal * _gain(signal, strength, sample_rate) if strength else signal


def _gain(signal: Array, strength: float, sample_rate: int) -> Array:
    """A slow gain, [samples], that takes `strength` (0 to 1) of the loudness' movement above the mean away."""
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
    """The same equalisation, band limits and gains on the accompaniment and on the voice; returns mix and voice."""
    both = [
        _limit_band(np.random.default_rng(seed), part, sample_rate)
        for seed in [int(rng.integers(2**32))]
        for part in (accompaniment, singing)
    ]
    gain = _gain(both[0] + both[1], rng.choice([0, 0.3, 0.6]), sample_rate)
    accompaniment, singing = (part * gain for part in both)
    whole = accompaniment + singing
    loud = np.sqrt(np.mean(np.square(whole)) + 1e-12)
    level = decibels(rng.uniform(-21, -9)) / loud
    level = min(level, CEILING / (np.abs(whole).max() + 1e-9), CEILING / (np.abs(singing).max() + 1e-9))
    return (whole * level).astype(np.float32), (singing * level).astype(np.float32)


def _limit_band(rng: np.random.Generator, signal: Array, sample_rate: int) -> Array:
    """The whole record's tilt and, on a tenth of them, the dull top of a tape or of a 16 kHz file."""
    hertz = np.geomspace(30, 11000, 9)
    gains = np.linspace(1, -1, 9) * rng.uniform(-3, 3) + rng.normal(0, 1, 9)
    signal = equalise(signal, hertz, gains, sample_rate)
    if rng.random() < 0.1:
        top = np.exp(rng.uniform(np.log(4500), np.log(10000)))
        signal = equalise(signal, np.array([20, top, 1.1 * top, 12000]), np.array([0, 0, -60, -90]), sample_rate)
    return signal
