"""Arrangement and performance of a piece: its stems."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from svdx.corpora.synthetic import instruments, leads, voice
from svdx.corpora.synthetic.band import play_band
from svdx.corpora.synthetic.score import Note, Piece, Section, melody, plan, spans
from svdx.corpora.synthetic.sound import Array, add_at, decibels, level

Player = Callable[[np.random.Generator, Piece, tuple[float, float]], Array]  # plays over (start, end): [samples]


@dataclass(frozen=True)
class Stems:
    """Unmixed signals, [samples] each, at about 0.1 RMS where they are active.

    phrases: (start, end) of singing in seconds
    """

    voice: Array
    breaths: Array
    leads: Array
    band: Array
    phrases: list[tuple[float, float]]


def arrange(rng: np.random.Generator, piece: Piece, sample_rate: int) -> Stems:
    """Sing and play a piece."""
    sections = plan(rng, piece)
    sung, breaths, phrases = _sing_sections(rng, piece, sections, sample_rate)
    lines = _play_leads(rng, piece, sections, phrases, sample_rate)
    return Stems(sung, breaths, lines, play_band(rng, piece, sections, sample_rate), phrases)


def _sing_sections(
    rng: np.random.Generator, piece: Piece, sections: list[Section], sample_rate: int
) -> tuple[Array, Array, list[tuple[float, float]]]:
    """The voice and its breaths, [samples] each, and the (start, end) of the phrases."""
    lead, partner = voice.draw_singer(rng), voice.draw_singer(rng)
    total = int(piece.seconds * sample_rate)
    sung, breaths = np.zeros(total, np.float32), np.zeros(total, np.float32)
    phrases: list[tuple[float, float]] = []
    breathing, harmony, doubling = rng.random() < 0.7, rng.choice([0, 0, 0.3, 0.8]), rng.choice([0, 0, 0.5])
    rests = (rng.uniform(0.45, 0.9), 3.0)
    for section in sections:
        if not section.vocal:
            continue
        singer = partner if rng.random() < 0.15 else lead
        for span in spans(rng, section.start, section.end, rests):
            notes = melody(rng, piece, span, singer.compass, singer.syllables)
            phrase = level(voice.sing(rng, singer, notes, sample_rate))
            add_at(sung, phrase, int(span[0] * sample_rate))
            if rng.random() < harmony:
                above = [Note(n.start, n.duration, n.pitch + rng.choice([3, 4, -5, 12]), n.strength) for n in notes]
                _accompany(rng, sung, partner, above, sample_rate)
            if rng.random() < doubling:
                _accompany(rng, sung, singer, notes, sample_rate)
            if breathing:
                breath = voice.breathe(rng, singer, sample_rate)
                add_at(breaths, breath, int(span[0] * sample_rate) - len(breath))
            phrases.append(span)
    return sung, breaths, phrases


def _accompany(
    rng: np.random.Generator, target: Array, singer: voice.Singer, notes: list[Note], sample_rate: int
) -> None:
    """Add a second voice to `target`, softer and slightly later than the first."""
    second = level(voice.sing(rng, singer, notes, sample_rate)) * decibels(rng.uniform(-12, -2))
    start = int(notes[0].start * sample_rate)
    late = int(rng.uniform(0, 0.03) * sample_rate)
    add_at(target, second[: len(second) - late], start + late)


def _play_leads(
    rng: np.random.Generator,
    piece: Piece,
    sections: list[Section],
    phrases: list[tuple[float, float]],
    sample_rate: int,
) -> Array:
    """Melody instruments, [samples]: in sections without singing, sometimes between or during sung phrases."""
    out = np.zeros(int(piece.seconds * sample_rate), np.float32)
    players = [_draw_player(rng, sample_rate) for _ in range(2)]
    counter = rng.random() < 0.15
    for section in sections:
        player = players[rng.integers(2)]
        if section.kind == "solo" or (section.kind == "instrumental" and rng.random() < 0.6):
            for span in spans(rng, section.start, section.end, (0.4, 1.5)):
                add_at(out, player(rng, piece, span), int(span[0] * sample_rate))
        elif section.kind == "sung" and counter:
            for span in spans(rng, section.start, section.end, (1.5, 4)):
                add_at(out, player(rng, piece, span) * decibels(rng.uniform(-14, -4)), int(span[0] * sample_rate))
    for before, after in pairwise(phrases):
        if 0.6 < after[0] - before[1] < 4 and rng.random() < 0.15:
            add_at(out, players[0](rng, piece, (before[1], after[0])), int(before[1] * sample_rate))
    return out


def _draw_player(rng: np.random.Generator, sample_rate: int) -> Player:
    """A random sustained or struck melody instrument: a function that plays a phrase at the reference level."""
    rate = rng.uniform(1.5, 6)
    if rng.random() < 0.5:
        lead = leads.draw_lead(rng, sample_rate)

        def sustained(rng: np.random.Generator, piece: Piece, span: tuple[float, float]) -> Array:
            return level(leads.play_line(rng, lead, melody(rng, piece, span, lead.compass, rate), sample_rate))

        return sustained
    timbre = instruments.draw_timbre(rng, instruments.STRUCK)
    low = rng.uniform(52, 72)

    def struck(rng: np.random.Generator, piece: Piece, span: tuple[float, float]) -> Array:
        notes = melody(rng, piece, span, (low, low + 17), rate)
        out = np.zeros(int((span[1] - span[0] + 1) * sample_rate), np.float32)
        for note in notes:
            sound = instruments.play(rng, timbre, note.pitch, min(note.duration * 1.5, 1.5), sample_rate)
            add_at(out, sound * note.strength, int((note.start - span[0]) * sample_rate))
        return level(out)

    return struck
