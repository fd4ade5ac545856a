"""A track: one audio file, where in it somebody sings, and, where known, the voice alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Segment:
    """A stretch of a track with one label: [start, end) in seconds; vocal or not."""

    start: float
    end: float
    vocal: bool


@dataclass(frozen=True)
class Track:
    """One piece of music of a corpus.

    name: unique within the corpus, without extension
    audio: the mix, in any format of `svdx.corpora.file_lists.AUDIO`
    segments: by ascending start, without overlap; seconds that no segment covers are non-vocal
    vocals: the voice alone at the gain it has in the mix, or None where it is not known
    voice_number: which of the sounds in that file it is, from 0; None where there is one
    labels: the file that the segments were read from, for messages; None where there is none
    """

    name: str
    audio: Path
    segments: tuple[Segment, ...]
    vocals: Path | None = None
    voice_number: int | None = None
    labels: Path | None = field(default=None, compare=False)
