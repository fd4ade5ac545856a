"""Singers: a glottal pulse train and noise, filtered by a vocal tract that moves between phones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svdx.corpora.synthetic import phonetics
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
class Singer:
    """A singer.

    compass: lowest and highest MIDI pitch
    tract: formant frequencies relative to an average man's
    effort, closure: frequencies in Hz above which the glottal spectrum falls by 6 and by 12 dB per octave
    breathiness: amplitude of aspiration in vowels
    clarity: share of syllables with a consonant
    ring: level of the singer's formant in dB
    rough: depth of shimmer
    syllables: per second
    legato: share of notes that continue the vowel of the note before
    dip: semitones by which a consonant lowers the pitch
    manner: pitch habits
    """

    compass: tuple[float, float]
    tract: float
    effort: float
    closure: float
    breathiness: float
    clarity: float
    ring: float
    rough: float
    syllables: float
    legato: float
    dip: float
    manner: Manner


def draw_singer(rng: np.random.Generator) -> Singer:
    """A random man, woman or child."""
    middle, tract = ((54.0, 1.0), (65.0, 1.16), (68.0, 1.28))[rng.choice(3, p=[0.45, 0.45, 0.1])]
    middle += rng.normal(0, 3)
    trained = rng.random()
    return Singer(
        compass=(middle - rng.uniform(5, 8), middle + rng.uniform(5, 9)),
        tract=tract * rng.normal(1, 0.05),
        effort=float(np.exp(rng.uniform(np.log(90), np.log(450)))),
        closure=float(np.exp(rng.uniform(np.log(700), np.log(5000)))),
        breathiness=float(decibels(rng.uniform(-34, -12))),
        clarity=rng.uniform(0.55, 0.98),
        ring=rng.uniform(0, 10) * (rng.random() < 0.5),
        rough=rng.uniform(0.02, 0.2),
        syllables=rng.uniform(2.2, 5.5),
        legato=rng.uniform(0, 0.3),
        dip=rng.uniform(0, 1.5),
        manner=Manner(
            glide=rng.uniform(0.06, 0.28),
            scoop=rng.uniform(0.5, 3.5),
            scoop_chance=rng.uniform(0.2, 0.7),
            vibrato=rng.choice([0.0, 0.25, 0.6]) * (0.5 + trained),
            vibrato_rate=rng.uniform(4.6, 6.6),
            vibrato_delay=rng.uniform(0, 0.4),
            drift=rng.uniform(0.08, 0.35),
            jitter=rng.uniform(0.03, 0.15),
            bend=rng.uniform(0.2, 1.1),
        ),
    )


def sing(rng: np.random.Generator, singer: Singer, notes: list[Note], sample_rate: int) -> Array:
    """A phrase, [samples]; long vowels have about 0.1 RMS."""
    seconds = notes[-1].end - notes[0].start
    times = control_times(seconds)
    targets = _articulate(rng, singer, notes, times)
    pitch = pitch_curve(rng, notes, singer.manner, times)
    pitch -= singer.dip * smooth(
        1 - np.minimum(targets[:, 0], 1), int(0.04 * RATE)
    )  # closing the mouth slows the glottis
    loud = _dynamics(rng, singer, notes, times)
    samples = np.arange(int(seconds * sample_rate)) / sample_rate
    frequency = np.interp(samples, times, hertz(pitch))
    pulses, phase = pulse_train(frequency, sample_rate)
    amplitude = np.interp(samples, times, targets[:, 0] * loud)
    noise = rng.standard_normal(len(samples)).astype(np.float32)
    noise *= 1 - 0.6 * np.interp(samples, times, targets[:, 0] > 0.2) * (0.5 - 0.5 * np.cos(2 * np.pi * phase))
    at = frame_times(len(samples), sample_rate)
    moved = np.stack([np.interp(at, times, curve) for curve in targets.T], axis=1)
    loudness = np.interp(at, times, loud)
    fundamental = np.interp(at, times, hertz(pitch))
    tone_gain, noise_gain = _tract(singer, moved, loudness, fundamental, sample_rate)
    voice = shape(pulses * amplitude, tone_gain) + shape(noise, noise_gain)
    edge = np.minimum(samples, samples[-1] - samples) / 0.008
    return (voice * np.minimum(edge, 1)).astype(np.float32)


def breathe(rng: np.random.Generator, singer: Singer, sample_rate: int) -> Array:
    """A breath between phrases, [samples]."""
    seconds = rng.uniform(0.15, 0.45)
    times = np.arange(int(seconds * sample_rate)) / sample_rate
    swell = np.sin(np.pi * (times / seconds) ** rng.uniform(0.7, 2)) ** 2
    noise = rng.standard_normal(len(times)) * swell
    frequencies = bin_frequencies(sample_rate)
    centres = singer.tract * np.array([600, 1600, 2600, 4000]) * rng.normal(1, 0.1, 4)
    gains = sum(np.exp(-(((frequencies - c) / 500) ** 2)) for c in centres) + 0.1
    return shape(noise.astype(np.float32), 0.02 * gains * rng.uniform(0.3, 1.5))


def _articulate(rng: np.random.Generator, singer: Singer, notes: list[Note], times: Array) -> Array:
    """Targets of the phones of a phrase over time, [n, 10], see `Phone.targets`."""
    phones: list[phonetics.Phone] = []
    for index, length in enumerate(_syllables(rng, singer, notes)):
        phones += phonetics.syllable(rng, length, singer.clarity if index else max(singer.clarity, 0.7))
    onsets = np.cumsum([0.0] + [phone.duration for phone in phones[:-1]])
    current = np.clip(np.searchsorted(onsets, times, side="right") - 1, 0, len(phones) - 1)
    held = np.array([phone.targets for phone in phones])[current]
    held[:, :3] = smooth(held[:, :3], int(0.025 * RATE))
    held[:, 3:] = smooth(held[:, 3:], int(rng.uniform(0.06, 0.15) * RATE))
    held[:, 5:] += 0.02 * np.stack([fluctuation(rng, times, 4) for _ in range(5)], axis=1)
    return held


def _syllables(rng: np.random.Generator, singer: Singer, notes: list[Note]) -> list[float]:
    """Lengths of a phrase's syllables in seconds: one per note, except for legato and for long notes that are split."""
    lengths: list[float] = []
    for note in notes:
        if lengths and rng.random() < singer.legato:
            lengths[-1] += note.duration
        elif note.duration * singer.syllables > 2.2 and rng.random() < 0.4:
            parts = rng.uniform(0.4, 0.6)
            lengths += [note.duration * parts, note.duration * (1 - parts)]
        else:
            lengths.append(note.duration)
    return lengths


def _dynamics(rng: np.random.Generator, singer: Singer, notes: list[Note], times: Array) -> Array:
    """Loudness over a phrase, [n]: accents, a slow arc, shimmer and a soft end."""
    begin = notes[0].start
    onsets = np.array([note.start - begin for note in notes])
    current = np.clip(np.searchsorted(onsets, times, side="right") - 1, 0, len(notes) - 1)
    into = (times - onsets[current]) / np.array([note.duration for note in notes])[current]
    accents = decibels(rng.normal(0, 2.5, len(notes))[current] - rng.uniform(0, 9, len(notes))[current] * into**1.5)
    accents = smooth(accents, int(0.05 * RATE))
    arc = decibels(2.0 * fluctuation(rng, times, 1.0))
    shimmer = 1 + singer.rough * fluctuation(rng, times, 70)
    release = np.clip((times[-1] - times) / rng.uniform(0.04, 0.25), 0, 1)
    return np.maximum(accents * arc * shimmer * release, 0)


def _tract(singer: Singer, targets: Array, loud: Array, fundamental: Array, sample_rate: int) -> tuple[Array, Array]:
    """Gains of the tone and of the noise, [frames, bins] each."""
    frequencies = np.maximum(bin_frequencies(sample_rate), 20)
    formants = (np.exp(targets[:, 5:]) * singer.tract).astype(np.float32)
    formants[:, 0] = np.maximum(formants[:, 0], 1.02 * fundamental)  # singers open the mouth for high notes
    formants[:, 1] = np.maximum(formants[:, 1], 1.2 * formants[:, 0])
    widths = phonetics.BANDWIDTHS * singer.tract
    gain = np.ones((len(targets), len(frequencies)), np.float32)
    for formant, width in zip(formants.T, widths, strict=True):
        gain *= _resonance(formant[:, None], np.float32(width), frequencies)
    for number in range(6, 12):  # higher poles: five resonators alone would fall by 60 dB per octave
        gain *= _resonance(np.float32((number - 0.5) * 1000 * singer.tract), np.float32(60 * number), frequencies)
    ring = decibels(singer.ring * np.exp(-(((frequencies - 2900 * singer.tract) / 500) ** 2)))
    effort = (singer.effort * np.clip(loud, 0.3, 3) ** 0.7)[:, None]
    ratio = frequencies / effort
    glottis = ratio / (1 + ratio**2) / np.sqrt(1 + (frequencies / singer.closure) ** 2)
    tone = 0.1 * gain * glottis * ring
    band = np.exp(-0.5 * ((np.log(frequencies) - targets[:, 3:4]) / (np.log(2) * targets[:, 4:5])) ** 2)
    aspiration = (
        (targets[:, 1:2] + singer.breathiness * targets[:, 0:1]) * 0.1 * gain * np.minimum(frequencies / 1500, 1)
    )
    noise = loud[:, None] * (aspiration + 0.25 * targets[:, 2:3] * band)
    return tone, noise


def _resonance(formant: Array | np.floating, width: np.floating, frequencies: Array) -> Array:
    """Amplitude response of a pole pair with unit gain at 0 Hz."""
    square = formant**2
    return square / np.sqrt((square - frequencies**2) ** 2 + (width * frequencies) ** 2)
