"""Instruments that play single notes (plucked, struck and sustained), as sums of partials."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from svdx.corpora.synthetic.expression import hertz
from svdx.corpora.synthetic.sound import Array, decibels


@dataclass(frozen=True)
class Timbre:
    """A sound colour.

    ratios, levels, decays: of each partial, [partials]: frequency relative to the fundamental, amplitude, decay in 1/s
    attack, release: seconds
    tremolo: depth and rate in Hz
    chorus: semitones between two detuned copies (0: one copy)
    noise: amplitude of the noise at the attack
    drive: strength of distortion
    """

    ratios: Array
    levels: Array
    decays: Array
    attack: float
    release: float
    tremolo: tuple[float, float] = (0.0, 5.0)
    chorus: float = 0.0
    noise: float = 0.0
    drive: float = 0.0


def _partials(rng: np.random.Generator, count: int, slope: float, odd: float = 1.0) -> tuple[Array, Array]:
    """Harmonic ratios and levels, falling by `slope` dB per octave with random deviations; even ones times `odd`."""
    ratios = np.arange(1, count + 1, dtype=float)
    levels = ratios ** (slope / 6.02) * decibels(rng.normal(0, 4, count))
    levels[1::2] *= odd
    return ratios, levels


def _plucked(rng: np.random.Generator) -> Timbre:
    """Guitar, harp, harpsichord, banjo."""
    ratios, levels = _partials(rng, 24, rng.uniform(-11, -4))
    levels = levels * np.abs(np.sin(np.pi * ratios * rng.uniform(0.1, 0.4))) + 1e-3  # where the string is plucked
    stretched = ratios * np.sqrt(1 + rng.uniform(0, 4e-4) * ratios**2)
    decays = rng.uniform(0.8, 4) * (1 + rng.uniform(0.1, 0.7) * ratios)
    return Timbre(stretched, levels, decays, 0.002, 0.08, noise=rng.uniform(0, 0.15))


def _piano(rng: np.random.Generator) -> Timbre:
    ratios, levels = _partials(rng, 22, rng.uniform(-12, -6))
    stretched = ratios * np.sqrt(1 + rng.uniform(1e-4, 8e-4) * ratios**2)
    decays = rng.uniform(0.5, 2.5) * (1 + rng.uniform(0.1, 0.6) * ratios)
    return Timbre(stretched, levels, decays, 0.004, 0.12, chorus=0.03, noise=rng.uniform(0, 0.05))


def _electric_piano(rng: np.random.Generator) -> Timbre:
    ratios, levels = _partials(rng, 8, rng.uniform(-16, -9))
    ratios = np.append(ratios, rng.uniform(12, 16))
    decays = np.append(np.full(8, rng.uniform(0.6, 1.6)), 12)
    return Timbre(ratios, np.append(levels, 0.15), decays, 0.003, 0.15, (rng.uniform(0, 0.5), rng.uniform(3, 7)))


def _mallet(rng: np.random.Generator) -> Timbre:
    """Vibraphone, marimba, glockenspiel, bells: few, inharmonic partials."""
    ratios = np.array(
        ((1, 4, 10), (1, 3, 9.5), (1, 2.76, 5.4, 8.9), (0.5, 1, 1.2, 1.5, 2, 2.7, 4.1, 5.3))[rng.integers(4)]
    )
    levels = ratios ** rng.uniform(-2, -0.7) * decibels(rng.normal(0, 3, len(ratios)))
    decays = rng.uniform(0.5, 5) * ratios ** rng.uniform(0.3, 1)
    motor = (rng.choice([0, 0.3, 0.6]), rng.uniform(3, 7))
    return Timbre(ratios, levels, decays, 0.002, rng.uniform(0.1, 0.8), motor, noise=rng.uniform(0, 0.1))


def _organ(rng: np.random.Generator) -> Timbre:
    ratios = np.array([0.5, 1, 1.5, 2, 3, 4, 5, 6, 8])
    levels = decibels(rng.uniform(-30, 0, 9))
    rotor = (rng.uniform(0, 0.4), rng.choice([0.9, 6.2]))
    return Timbre(ratios, levels, np.zeros(9), 0.01, 0.04, rotor, rng.choice([0, 0.08]), drive=rng.choice([0, 2]))


def _strings(rng: np.random.Generator) -> Timbre:
    """A string section or a synthesiser pad."""
    ratios, levels = _partials(rng, 20, rng.uniform(-12, -5))
    decays, attack, release = rng.uniform(0, 0.04) * ratios, rng.uniform(0.05, 0.5), rng.uniform(0.1, 0.6)
    return Timbre(ratios, levels, decays, attack, release, (0.15, 5.5), rng.uniform(0.08, 0.25))


def _reeds(rng: np.random.Generator) -> Timbre:
    """Accordion, harmonium, brass or woodwind sections."""
    ratios, levels = _partials(rng, 24, rng.uniform(-8, -2), odd=rng.choice([1, 0.2]))
    return Timbre(ratios, levels, np.zeros(24), rng.uniform(0.02, 0.08), 0.06, (0.1, 6), rng.choice([0, 0.1, 0.18]))


def _overdriven(rng: np.random.Generator) -> Timbre:
    ratios, levels = _partials(rng, 10, rng.uniform(-9, -4))
    return Timbre(ratios, levels, np.full(10, rng.uniform(0.1, 1.5)), 0.004, 0.05, noise=0.05, drive=rng.uniform(4, 20))


CHORDAL: tuple[Callable[[np.random.Generator], Timbre], ...] = (
    _plucked, _plucked, _plucked, _piano, _piano, _piano, _electric_piano, _mallet, _organ,
    _strings, _strings, _reeds, _overdriven,
)  # fmt: skip
STRUCK = (_plucked, _plucked, _piano, _electric_piano, _mallet, _mallet)


def draw_timbre(
    rng: np.random.Generator, families: tuple[Callable[[np.random.Generator], Timbre], ...] = CHORDAL
) -> Timbre:
    """A random instrument of the given families."""
    return families[rng.integers(len(families))](rng)


def draw_bass(rng: np.random.Generator) -> Timbre:
    """A random upright, electric or synthesised bass."""
    ratios, levels = _partials(rng, 16, rng.uniform(-14, -6))
    decays = rng.choice([0.0, 1.0]) * rng.uniform(1, 4) * (1 + 0.2 * ratios)
    return Timbre(ratios, levels, decays, 0.005, 0.05, noise=rng.uniform(0, 0.05), drive=rng.choice([0, 0, 2]))


def play(rng: np.random.Generator, timbre: Timbre, pitch: float, seconds: float, sample_rate: int) -> Array:
    """A note of `seconds` plus its release, [samples], at about 0.1 RMS at its beginning."""
    copies = (0.0,) if timbre.chorus == 0 else (-timbre.chorus / 2, timbre.chorus / 2)
    times = np.arange(int((seconds + timbre.release) * sample_rate), dtype=np.float32) / np.float32(sample_rate)
    levels = timbre.levels / np.sqrt(np.square(timbre.levels).sum()) * 0.14 / len(copies) ** 0.5
    note = np.zeros(len(times), np.float32)
    for copy in copies:
        for ratio, level, decay in zip(timbre.ratios, levels, timbre.decays, strict=True):
            frequency = hertz(pitch + copy) * ratio
            if frequency > 0.45 * sample_rate or level < 1e-4:
                continue
            audible = len(times) if decay == 0 else min(len(times), int(9 / decay * sample_rate))
            cycles = times[:audible] * np.float32(frequency) + np.float32(rng.random())
            partial = np.sin(np.float32(2 * np.pi) * (cycles - np.floor(cycles)))
            note[:audible] += np.float32(level) * (
                partial if decay == 0 else partial * np.exp(times[:audible] * np.float32(-decay))
            )
    if timbre.noise:
        hit = times[: int(0.04 * sample_rate)]
        note[: len(hit)] += 0.5 * timbre.noise * rng.standard_normal(len(hit)).astype(np.float32) * np.exp(-hit * 150)
    if timbre.drive:
        note = np.tanh(note * timbre.drive * 5) * np.float32(0.1)
    depth, rate = timbre.tremolo
    note *= 1 - depth * (0.5 + 0.5 * np.sin(2 * np.pi * rate * times + rng.uniform(0, 6)))
    return note * np.minimum(times / timbre.attack, 1) * np.clip((times[-1] - times) / timbre.release, 0, 1)
