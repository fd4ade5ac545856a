"""One finished track of the synthetic corpus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svdx.corpora.synthetic.arrangement import arrange
from svdx.corpora.synthetic.mixing import mix
from svdx.corpora.synthetic.score import write_piece
from svdx.corpora.synthetic.sound import Array

GAP = 0.3  # seconds; a shorter rest between phrases is part of the singing


@dataclass(frozen=True)
class Song:
    """audio: the mix, [samples]; vocals: the voice at its gain in the mix, [samples];
    singing: (start, end) in seconds, ascending and apart."""

    audio: Array
    vocals: Array
    singing: list[tuple[float, float]]


def compose(rng: np.random.Generator, seconds: float, sample_rate: int) -> Song:
    """Writes, performs and mixes one song; everything about it comes from `rng`."""
    stems = arrange(rng, write_piece(rng, seconds), sample_rate)
    audio, vocals = mix(rng, stems, sample_rate)
    return Song(audio, vocals, join(stems.phrases, GAP))


def join(phrases: list[tuple[float, float]], gap: float) -> list[tuple[float, float]]:
    """Phrases with those less than `gap` seconds apart made one."""
    joined: list[tuple[float, float]] = []
    for start, end in phrases:
        if joined and start - joined[-1][1] < gap:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
