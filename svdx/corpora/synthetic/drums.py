"""Percussion: random one-shot sounds and patterns of one bar, drawn once per track."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from svdx.corpora.synthetic.score import Piece
from svdx.corpora.synthetic.sound import Array, add_at, bin_frequencies, decibels, shape

STEPS = 4  # per beat
LEVELS = {  # dB, typical of a mix
    "kick": 0, "snare": -6, "hat": -18, "clap": -9, "shaker": -18, "drum": -5, "open": -18, "ride": -18, "crash": -14,
    "brush": -16,
}  # fmt: skip


def _noise(rng: np.random.Generator, times: Array, low: float, high: float, sample_rate: int) -> Array:
    """Band-limited noise between two frequencies in Hz."""
    frequencies = np.maximum(bin_frequencies(sample_rate), 20)
    gains = 1 / (1 + (low / frequencies) ** 6) / (1 + (frequencies / high) ** 6)
    return shape(rng.standard_normal(len(times)).astype(np.float32), gains)


def _tone(times: Array, start: float, end: float, fall: float) -> Array:
    """A sine whose frequency falls from start to end Hz within about `fall` seconds."""
    return np.sin(2 * np.pi * (end * times + (start - end) * fall * (1 - np.exp(-times / fall))))


def _hit(rng: np.random.Generator, kind: str, sample_rate: int) -> Array:
    """One stroke of an instrument with a peak of about 1."""
    times = np.arange(int(1.2 * sample_rate)) / sample_rate
    if kind == "kick":
        base = rng.uniform(40, 70)
        sound = _tone(times, base * rng.uniform(2, 6), base, rng.uniform(0.01, 0.05)) * np.exp(
            -times * rng.uniform(5, 18)
        )
        return sound + rng.uniform(0, 0.3) * _noise(rng, times, 1000, 6000, sample_rate) * np.exp(-times * 250)
    if kind == "snare":
        body = _tone(times, 300, rng.uniform(150, 240), 0.02) * np.exp(-times * rng.uniform(15, 40))
        wires = _noise(rng, times, rng.uniform(300, 2000), rng.uniform(5000, 11000), sample_rate)
        return rng.uniform(0.1, 0.8) * body + rng.uniform(0.3, 1) * wires * np.exp(-times * rng.uniform(8, 30))
    if kind == "clap":
        bursts = sum(np.where(times > t, np.exp(-(times - t) * 150), 0) for t in (0, 0.011, 0.023))
        return _noise(rng, times, 700, 4000, sample_rate) * (bursts + 0.6 * np.exp(-times * rng.uniform(12, 30)))
    if kind == "shaker":
        peak = rng.uniform(0.006, 0.025)
        swell = times / peak * np.exp(1 - times / peak)
        return _noise(rng, times, rng.uniform(2500, 6000), 12000, sample_rate) * swell
    if kind == "drum":  # conga, tom, tabla, woodblock
        base = np.exp(rng.uniform(np.log(70), np.log(900)))
        return _tone(times, base * rng.uniform(1, 1.6), base, 0.03) * np.exp(-times * rng.uniform(6, 50))
    if kind == "brush":
        return _noise(rng, times, 1500, rng.uniform(6000, 11000), sample_rate) * np.sin(
            np.pi * np.clip(times / rng.uniform(0.08, 0.25), 0, 1)
        )
    decay = {
        "hat": rng.uniform(30, 120),
        "open": rng.uniform(6, 15),
        "ride": rng.uniform(5, 15),
        "crash": rng.uniform(1.5, 4),
    }[kind]
    partials = rng.uniform(2000, 9500, 14)
    metal = sum(np.sin(2 * np.pi * f * times + p) for f, p in zip(partials, rng.uniform(0, 6, 14), strict=True)) / 5
    hiss = _noise(rng, times, rng.uniform(3000, 8000) if kind != "crash" else 1500, 14000, sample_rate)
    return (rng.uniform(0, 0.7) * metal + hiss) * np.exp(-times * decay)


def _pattern(rng: np.random.Generator, kind: str, steps: int) -> Array:
    """Strength of each step of a bar, [steps]."""
    hits = np.zeros(steps)
    if kind == "kick":
        hits[:: rng.choice([4, 8])] = 1
        hits += 0.8 * (rng.random(steps) < 0.1)
    elif kind in ("snare", "clap"):
        hits[4::8] = 1
        hits += 0.4 * (rng.random(steps) < rng.choice([0, 0.1]))
    elif kind == "crash":
        hits[0] = rng.random() < 0.5
    elif kind in ("hat", "ride", "shaker", "brush"):
        hits[:: rng.choice([1, 2, 2, 4])] = 0.7
        hits[:: rng.choice([2, 4])] += 0.3
        hits *= rng.uniform(0.3, 1, steps)
    else:
        hits = (rng.random(steps) < rng.uniform(0.1, 0.4)) * rng.uniform(0.3, 1, steps)
    return np.clip(hits, 0, 1)


def play_drums(rng: np.random.Generator, piece: Piece, busy: NDArray[np.bool_], sample_rate: int) -> Array:
    """Drums for a piece, [samples]. busy: whether they play in each bar, [bars] bool"""
    kinds = ["kick", "snare", "hat", "clap", "shaker", "drum", "drum", "open", "ride", "crash", "brush"]
    chances = np.array([0.85, 0.8, 0.7, 0.2, 0.2, 0.35, 0.3, 0.15, 0.25, 0.3, 0.07])
    out = np.zeros(int(piece.seconds * sample_rate), np.float32)
    steps = piece.beats * STEPS
    for kind, chance in zip(kinds, chances, strict=True):
        if rng.random() > chance:
            continue
        sound = _hit(rng, kind, sample_rate).astype(np.float32) * decibels(LEVELS[kind] + rng.uniform(-6, 4))
        pattern, loose = _pattern(rng, kind, steps), rng.uniform(0, 0.008)
        for bar in np.flatnonzero(busy):
            for step in np.flatnonzero(pattern):
                late = piece.swing * (step % 4 == 2) * piece.beat
                when = bar * piece.bar + step * piece.beat / STEPS + late + rng.normal(0, loose)
                add_at(out, sound * (pattern[step] * rng.uniform(0.6, 1)), int(when * sample_rate))
    return out
