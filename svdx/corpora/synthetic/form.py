"""The form of a piece: which of its sections are sung, and which are not."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from svdx.corpora.synthetic.score import Piece
from svdx.corpora.synthetic.sound import Array

KINDS = ("sung", "bare", "instrumental", "solo", "groove")
SHARES = (0.68, 0.03, 0.19, 0.02, 0.08)


@dataclass(frozen=True)
class Section:
    """[start, end) in seconds; kind: sung with the band, sung alone, band with a lead, one lead alone, band only."""

    start: float
    end: float
    kind: str

    @property
    def vocal(self) -> bool:
        return self.kind in ("sung", "bare")


def plan(rng: np.random.Generator, piece: Piece) -> list[Section]:
    """Sections of about a quarter of a short piece, of 6 to 24 s in a long one; some are sung and some are not."""
    sections: list[Section] = []
    now, longest = 0.0, float(np.clip(piece.seconds / 3, 4, 24))
    while now < piece.seconds - 1:
        end = min(now + rng.uniform(0.45, 1) * longest, piece.seconds)
        end = piece.seconds if piece.seconds - end < 2 else end
        shares = np.array(SHARES)
        if sections:  # singing and rest take turns more often than not
            shares[:2] *= 0.75 if sections[-1].vocal else 1.8
        sections.append(Section(now, end, str(rng.choice(KINDS, p=shares / shares.sum()))))
        now = end
    if not any(section.vocal for section in sections):
        chosen = rng.integers(len(sections))
        sections[chosen] = replace(sections[chosen], kind="sung")
    return sections


def section_at(sections: list[Section], times: Array) -> Array:
    """The index of the section at each of `times` in seconds, [n]."""
    return np.searchsorted([section.start for section in sections], times, side="right") - 1
