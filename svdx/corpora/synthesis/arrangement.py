"""Who plays when: sections of a piece, and the stems of the singers and of the band."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from svdx.corpora.synthesis import drums, instruments, leads, voice
from svdx.corpora.synthesis.score import Note, Piece, melody, spans
from svdx.corpora.synthesis.sound import Array, add_at, decibels, rms

KINDS = ("sung", "bare", "instrumental", "solo", "groove")
SHARES = (0.6, 0.05, 0.24, 0.05, 0.06)
REFERENCE = 0.1  # RMS of a stem before its level is drawn


@dataclass(frozen=True)
class Section:
    """[start, end) in seconds; kind: sung over the band, sung alone, band with a lead, one instrument alone, band only."""

    start: float
    end: float
    kind: str

    @property
    def vocal(self) -> bool:
        return self.kind in ("sung", "bare")


@dataclass(frozen=True)
class Stems:
    """Before the mix, [samples] each at about 0.1 RMS where they sound; phrases: (start, end) of singing in seconds."""

    voice: Array
    breaths: Array
    leads: Array
    band: Array
    phrases: list[tuple[float, float]]


def arrange(rng: np.random.Generator, piece: Piece, sample_rate: int) -> Stems:
    """Sings and plays a whole piece."""
    sections = plan(rng, piece)
    sung, breaths, phrases = _sing_sections(rng, piece, sections, sample_rate)
    lines = _play_leads(rng, piece, sections, phrases, sample_rate)
    return Stems(sung, breaths, lines, _play_band(rng, piece, sections, sample_rate), phrases)


def plan(rng: np.random.Generator, piece: Piece) -> list[Section]:
    """Sections of about a quarter of a short piece, of 6 to 24 s in a long one; some are sung and some are not."""
    sections: list[Section] = []
    now, longest = 0.0, float(np.clip(piece.seconds / 3, 4, 24))
    while now < piece.seconds - 1:
        end = min(now + rng.uniform(0.45, 1) * longest, piece.seconds)
        end = piece.seconds if piece.seconds - end < 2 else end
        shares = np.array(SHARES)
        if sections:  # singing and rest take turns more often than not
            shares[:2] *= 0.6 if sections[-1].vocal else 1.8
        sections.append(Section(now, end, str(rng.choice(KINDS, p=shares / shares.sum()))))
        now = end
    if not any(section.vocal for section in sections):
        chosen = rng.integers(len(sections))
        sections[chosen] = replace(sections[chosen], kind="sung")
    return sections


def _sing_sections(rng: np.random.Generator, piece: Piece, sections: list[Section], sample_rate: int):
    """The voice and its breaths, [samples] each, and the phrases' (start, end)."""
    lead, partner = voice.draw_singer(rng), voice.draw_singer(rng)
    total = int(piece.seconds * sample_rate)
    sung, breaths = np.zeros(total, np.float32), np.zeros(total, np.float32)
    phrases: list[tuple[float, float]] = []
    breathing, harmony, doubling = rng.random() < 0.7, rng.choice([0, 0, 0.3, 0.8]), rng.choice([0, 0, 0.5])
    rests = (0.3, rng.uniform(0.8, 3))
    for section in sections:
        if not section.vocal:
            continue
        singer = partner if rng.random() < 0.15 else lead
        for span in spans(rng, section.start, section.end, rests):
            notes = melody(rng, piece, span, singer.compass, singer.syllables)
            phrase = _level(voice.sing(rng, singer, notes, sample_rate))
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
    """Adds a second voice to `target`, softer and not quite together with the first, within the phrase."""
    second = _level(voice.sing(rng, singer, notes, sample_rate)) * decibels(rng.uniform(-12, -2))
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
    """Melody instruments, [samples]: where nobody sings, sometimes between phrases, sometimes against them."""
    out = np.zeros(int(piece.seconds * sample_rate), np.float32)
    players = [_draw_player(rng, sample_rate) for _ in range(2)]
    counter = rng.random() < 0.3
    for section in sections:
        player = players[rng.integers(2)]
        if section.kind in ("instrumental", "solo"):
            for span in spans(rng, section.start, section.end, (0.2, 1.5)):
                add_at(out, player(rng, piece, span), int(span[0] * sample_rate))
        elif section.kind == "sung" and counter:
            for span in spans(rng, section.start, section.end, (0.5, 4)):
                add_at(out, player(rng, piece, span) * decibels(rng.uniform(-14, -4)), int(span[0] * sample_rate))
    for before, after in zip(phrases, phrases[1:], strict=False):
        if 0.6 < after[0] - before[1] < 4 and rng.random() < 0.3:
            add_at(out, players[0](rng, piece, (before[1], after[0])), int(before[1] * sample_rate))
    return out


def _draw_player(rng: np.random.Generator, sample_rate: int):
    """A callable (rng, piece, span) -> phrase [samples] at the reference level: a sustained lead or a struck one."""
    rate = rng.uniform(1.5, 6)
    if rng.random() < 0.65:
        lead = leads.draw_lead(rng, sample_rate)

        def sustained(rng: np.random.Generator, piece: Piece, span: tuple[float, float]) -> Array:
            return _level(leads.play_line(rng, lead, melody(rng, piece, span, lead.compass, rate), sample_rate))

        return sustained
    timbre = instruments.draw_timbre(rng, instruments.STRUCK)
    low = rng.uniform(52, 72)

    def struck(rng: np.random.Generator, piece: Piece, span: tuple[float, float]) -> Array:
        notes = melody(rng, piece, span, (low, low + 17), rate)
        out = np.zeros(int((span[1] - span[0] + 1) * sample_rate), np.float32)
        for note in notes:
            sound = instruments.play(rng, timbre, note.pitch, min(note.duration * 1.5, 1.5), sample_rate)
            add_at(out, sound * note.strength, int((note.start - span[0]) * sample_rate))
        return _level(out)

    return struck


def _play_band(rng: np.random.Generator, piece: Piece, sections: list[Section], sample_rate: int) -> Array:
    """Chords, bass and drums, [samples]."""
    bars = int(np.ceil(piece.seconds / piece.bar))
    middles = (np.arange(bars) + 0.5) * piece.bar
    starts = np.array([section.start for section in sections])
    kinds = [sections[i].kind for i in np.searchsorted(starts, middles, side="right") - 1]
    plays = np.array([kind not in ("bare", "solo") for kind in kinds])
    band = np.zeros(int(piece.seconds * sample_rate), np.float32)
    layers = int(rng.choice([1, 2, 2, 3, 4]))
    for _ in range(layers):
        busy = plays & _present(rng, sections, middles)
        band += _level(_play_chords(rng, piece, busy, sample_rate)) * decibels(rng.uniform(-9, 0))
    if rng.random() < 0.92:
        busy = plays & _present(rng, sections, middles)
        band += _level(_play_bass(rng, piece, busy, sample_rate)) * decibels(rng.uniform(-3, 6))
    if rng.random() < 0.85:
        busy = plays & _present(rng, sections, middles)
        band += _level(drums.play_drums(rng, piece, busy, sample_rate)) * decibels(rng.uniform(-10, 4))
    return _level(band)


def _present(rng: np.random.Generator, sections: list[Section], middles: Array) -> Array:
    """Whether a layer takes part in each bar, [bars]: drawn section by section."""
    taking = rng.random(len(sections)) < 0.85
    starts = np.array([section.start for section in sections])
    return taking[np.searchsorted(starts, middles, side="right") - 1]


def _play_chords(rng: np.random.Generator, piece: Piece, busy: Array, sample_rate: int) -> Array:
    """One chord instrument in one of five styles, [samples]."""
    out = np.zeros(int(piece.seconds * sample_rate), np.float32)
    timbre = instruments.draw_timbre(rng)
    style = rng.choice(["block", "strum", "arpeggio", "stab", "broken"])
    shift, spread = rng.choice([0, 12, 12, 24]), rng.choice([0.0, 0.01, 0.03])
    steps = {"block": [0], "strum": [0, 1, 1.5, 2, 3, 3.5], "stab": [1, 3], "arpeggio": [], "broken": [0, 2]}[
        str(style)
    ]
    sounds: dict[tuple[float, float], Array] = {}

    def add(pitch: float, length: float, when: float) -> None:
        key = (pitch, round(length, 2))
        if key not in sounds:
            sounds[key] = instruments.play(rng, timbre, pitch, length, sample_rate)
        add_at(out, sounds[key] * np.float32(rng.uniform(0.6, 1)), int(when * sample_rate))

    pace = piece.beat / rng.choice([1, 2, 2, 3, 4])
    for bar in np.flatnonzero(busy):
        chord = [pitch + shift for pitch in piece.chord(bar)]
        begin = bar * piece.bar
        for number, beat in enumerate(step for step in steps if step < piece.beats):
            length = 0.2 * piece.beat if style == "stab" else (piece.bar if style == "block" else piece.beat)
            for string, pitch in enumerate(chord):
                add(pitch, length, begin + beat * piece.beat + string * spread * (1 if number % 2 else 0.7))
        if style == "arpeggio":
            for number in range(int(piece.bar / pace)):
                add(chord[(number * 2 if number % 4 == 3 else number) % len(chord)], pace * 1.3, begin + number * pace)
    return out


def _play_bass(rng: np.random.Generator, piece: Piece, busy: Array, sample_rate: int) -> Array:
    """The bass: roots, or a line that walks, [samples]."""
    out = np.zeros(int(piece.seconds * sample_rate), np.float32)
    timbre, walking = instruments.draw_bass(rng), rng.random() < 0.5
    pace = piece.beat * rng.choice([0.5, 1, 1, 2])
    for bar in np.flatnonzero(busy):
        chord = piece.chord(bar)
        for number in range(int(np.ceil(piece.bar / pace))):
            pitch = chord[rng.integers(len(chord))] if walking and number else chord[0]
            pitch -= 12 * (1 + (pitch > 57))
            sound = instruments.play(rng, timbre, pitch, pace * rng.choice([0.6, 0.95]), sample_rate)
            add_at(out, sound, int((bar * piece.bar + number * pace) * sample_rate))
    return out


def _level(signal: Array) -> Array:
    """The signal at the reference RMS; silence stays silent."""
    loud = rms(signal)
    return signal * np.float32(REFERENCE / loud) if loud > 0 else signal
