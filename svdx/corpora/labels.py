"""Label files: where somebody sings. Readers of `.lab` segments and of RWC's change points, and a writer of `.lab`."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from svdx.corpora.files import Line, read_lines, shown
from svdx.corpora.track import Segment
from svdx.errors import CorpusError

WORDS = {"sing": True, "nosing": False}
FORM = "expected 'start end sing' or 'start end nosing', times in seconds, as in '12.5 14.25 sing'"
LETTERS = {"m": True, "f": True, "g": True, "b": False, "n": False, "p": False, "e": False, "s": False}
POINT_FORM = "expected 'time label', the time in seconds, as in '12.5 m'"
OVERLAP = 1e-3  # seconds: times that other programs rounded to milliseconds may run into each other by one


def read_lab(path: Path) -> tuple[Segment, ...]:
    """The segments of a `.lab` file: on each line `start end word` in seconds, the word sing or nosing.

    Lines follow each other in time. An overlap of up to a millisecond is rounding: the later segment gives way.
    Segments of no length are dropped. Anything else that cannot be meant is a CorpusError naming file and line.
    """
    lines = read_lines(path)
    if not lines:
        raise CorpusError(f"{path}: empty; {FORM} (a track without singing: one line '0 LENGTH nosing')")
    segments: list[Segment] = []
    previous = 0.0
    for line in lines:
        start, end, vocal = _segment(line)
        if round(previous - start, 6) > OVERLAP:
            raise CorpusError(
                f"{line.where}: starts at {start:g} s, before the segment above has ended at {previous:g} s; "
                "lines must follow each other in time, without overlap"
            )
        start = max(start, previous)
        previous = max(end, previous)
        if end > start:
            segments.append(Segment(start, end, vocal))
    return tuple(segments)


def write_lab(path: Path, segments: Iterable[Segment]) -> None:
    """Write segments as a `.lab` file; `read_lab` gives back the very same numbers."""
    word = {vocal: word for word, vocal in WORDS.items()}
    lines = (f"{float(s.start)!r} {float(s.end)!r} {word[bool(s.vocal)]}\n" for s in segments)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def read_change_points(path: Path, duration: float) -> tuple[Segment, ...]:
    """The segments of an RWC `VOCA_INST` file: on each line `time label`, the label holding until the next line's time.

    duration: length of the track in seconds, where the last label ends
    The first letter tells: m(ale), f(emale) and g(roup) are vocal; b, n, p, s and e(nd) are not.
    """
    lines = read_lines(path)
    if not lines:
        raise CorpusError(f"{path}: empty; {POINT_FORM}, on each line")
    points = [_change_point(line) for line in lines]
    for line, (above, _), (time, _) in zip(lines[1:], points, points[1:], strict=False):
        if time < above:
            raise CorpusError(f"{line.where}: {time:g} s comes after {above:g} s in the line above; times must ascend")
    points.append((duration, False))
    return tuple(Segment(start, end, vocal) for (start, vocal), (end, _) in pairwise(points) if end > start)


def _segment(line: Line) -> tuple[float, float, bool]:
    fields = line.text.split()
    if len(fields) != 3:
        raise CorpusError(f"{line.where}: {FORM}; found {shown(line.text)}")
    start, end = (_seconds(field, line, FORM) for field in fields[:2])
    if end < start:
        raise CorpusError(
            f"{line.where}: ends at {end:g} s, before it starts at {start:g} s; swap or correct the times"
        )
    if fields[2] not in WORDS:
        raise CorpusError(f"{line.where}: {FORM}; found the word {shown(fields[2])}")
    return start, end, WORDS[fields[2]]


def _change_point(line: Line) -> tuple[float, bool]:
    fields = line.text.split(maxsplit=1)
    if len(fields) != 2:
        raise CorpusError(f"{line.where}: {POINT_FORM}; found {shown(line.text)}")
    letter = fields[1][0].lower()
    if letter not in LETTERS:
        known = ", ".join(LETTERS)
        raise CorpusError(
            f"{line.where}: expected a label whose first letter is one of {known}; found {shown(fields[1])}"
        )
    return _seconds(fields[0], line, POINT_FORM), LETTERS[letter]


def _seconds(field: str, line: Line, form: str) -> float:
    try:
        seconds = float(field.replace("_", "?"))  # Python would read 1_5 as 15
    except ValueError:
        comma = " (write a decimal point, not a comma)" if "," in field else ""
        raise CorpusError(f"{line.where}: {form}; found the time {shown(field)}{comma}") from None
    if not math.isfinite(seconds) or seconds < 0:
        raise CorpusError(f"{line.where}: {form}, none of them negative or endless; found the time {shown(field)}")
    return seconds
