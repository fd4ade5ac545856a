"""Vowels, consonants and syllables as sequences of vocal-tract targets.

Vowel formants: means of the male speakers of Peterson and Barney, "Control methods used in a study of the vowels",
JASA 24 (1952), in Hz. Fourth and fifth formants, bandwidths and consonants: typical values after Klatt, "Software for a
cascade/parallel formant synthesizer", JASA 67 (1980).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

VOWELS = np.array(
    [
        (270, 2290, 3010),  # heed
        (390, 1990, 2550),  # hid
        (530, 1840, 2480),  # head
        (660, 1720, 2410),  # had
        (730, 1090, 2440),  # hod
        (570, 840, 2410),  # hawed
        (440, 1020, 2240),  # hood
        (300, 870, 2240),  # who'd
        (640, 1190, 2390),  # hud
        (490, 1350, 1690),  # heard
    ],
    dtype=float,
)
SUNG = np.array([2, 1.5, 1.5, 1.5, 3, 2, 1, 1.5, 2, 0.7])  # relative frequency of each in singing
UPPER = (3400.0, 4500.0)
BANDWIDTHS = np.array([85.0, 115, 170, 260, 350])


@dataclass(frozen=True)
class Phone:
    """A vocal-tract target, held for `duration` seconds.

    formants: five frequencies in Hz, of an average man
    voice, breath, friction: amplitudes of glottal tone, aspiration (filtered by the formants) and friction noise
    centre, width: of the friction noise, in Hz and octaves
    """

    duration: float
    formants: tuple[float, ...]
    voice: float = 1.0
    breath: float = 0.0
    friction: float = 0.0
    centre: float = 4000.0
    width: float = 0.5

    @property
    def targets(self) -> list[float]:
        """Values to interpolate between phones, [10]: amplitudes, then friction noise, then log formant frequencies."""
        noise = [np.log(self.centre), self.width]
        return [self.voice, self.breath, self.friction, *noise, *np.log(self.formants)]


def vowel(rng: np.random.Generator, duration: float) -> Phone:
    """A random variation of one of the ten measured vowels."""
    index = rng.choice(len(VOWELS), p=SUNG / SUNG.sum())
    measured = VOWELS[index] * rng.normal(1, 0.05, 3)
    return Phone(duration, (*measured, *(rng.normal(1, 0.03, 2) * UPPER)))


def _place(rng: np.random.Generator, formants: tuple[float, ...], near: Phone, pull: float = 0.35) -> tuple[float, ...]:
    """A consonant's formants, shifted towards those of the adjacent vowel."""
    target = np.array([*formants, *UPPER])
    return tuple(np.exp((1 - pull) * np.log(target) + pull * np.log(near.formants)) * rng.normal(1, 0.04, 5))


def _sonorant(rng: np.random.Generator, near: Phone) -> list[Phone]:
    kinds = (
        (250, 1100, 2200), (250, 1600, 2500), (360, 1000, 2600), (430, 1200, 1650), (300, 700, 2200), (280, 2200, 2950),
    )  # fmt: skip
    index = rng.integers(len(kinds))
    level = rng.uniform(0.25, 0.5) if index < 2 else rng.uniform(0.4, 0.75)
    return [Phone(rng.uniform(0.05, 0.13), _place(rng, kinds[index], near), voice=level)]


def _fricative(rng: np.random.Generator, near: Phone) -> list[Phone]:
    centre, width, level = ((6800, 0.32, 0.5), (3600, 0.45, 0.5), (5000, 1.2, 0.1), (6000, 1.0, 0.1))[
        rng.choice(4, p=[0.45, 0.25, 0.2, 0.1])
    ]
    voiced = rng.random() < 0.3
    return [
        Phone(
            rng.uniform(0.04, 0.09) if voiced else rng.uniform(0.07, 0.16),
            _place(rng, (300, 1500, 2500), near),
            voice=rng.uniform(0.1, 0.3) if voiced else 0.0,
            friction=level * rng.uniform(0.3, 1.3) * (0.5 if voiced else 1),
            centre=centre * rng.uniform(0.85, 1.15),
            width=width,
        )
    ]


def _plosive(rng: np.random.Generator, near: Phone) -> list[Phone]:
    centre, second = ((900, 800), (4300, 1700), (1900, 2200))[rng.integers(3)]
    voiced = rng.random() < 0.45
    tract = _place(rng, (250, second, 2500), near)
    closure = Phone(rng.uniform(0.03, 0.08), tract, voice=0.08 if voiced else 0.0)
    loud = rng.uniform(0.1, 0.6)
    burst = Phone(rng.uniform(0.012, 0.03), tract, voice=closure.voice, friction=loud, centre=centre, width=0.7)
    if voiced:
        return [closure, burst]
    return [closure, burst, Phone(rng.uniform(0.015, 0.05), near.formants, voice=0.0, breath=rng.uniform(0.1, 0.5))]


def _aspirate(rng: np.random.Generator, near: Phone) -> list[Phone]:
    return [Phone(rng.uniform(0.04, 0.1), near.formants, voice=0.0, breath=rng.uniform(0.15, 0.6))]


def consonant(rng: np.random.Generator, near: Phone) -> list[Phone]:
    """A random consonant next to the vowel `near`, as one to three phones."""
    kind = rng.choice(4, p=[0.38, 0.25, 0.3, 0.07])
    return (_sonorant, _fricative, _plosive, _aspirate)[kind](rng, near)


def syllable(rng: np.random.Generator, duration: float, clarity: float) -> list[Phone]:
    """A vowel with random consonants, `duration` seconds in all. clarity: probability of an initial consonant"""
    core = vowel(rng, duration)
    before = consonant(rng, core) if rng.random() < clarity else []
    after = consonant(rng, core) if rng.random() < clarity * 0.35 else []
    spent = sum(phone.duration for phone in before + after)
    pace = min(1.0, 0.55 * duration / spent) if spent else 1.0
    before, after = ([replace(p, duration=p.duration * pace) for p in phones] for phones in (before, after))
    rest = duration - spent * pace
    if rest > 0.15 and rng.random() < 0.5:  # diphthong
        turn = rng.uniform(0.4, 0.8)
        return [*before, replace(core, duration=rest * turn), vowel(rng, rest * (1 - turn)), *after]
    return [*before, replace(core, duration=rest), *after]
