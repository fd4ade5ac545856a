"""Label files: parsers for `.lab` segments and RWC's change points, and a writer for `.lab`.

A label file does not state the unit of its times; `check_time_unit` compares them with the length of the audio.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from svdx.corpora.file_lists import Line, quoted, read_lines
from svdx.corpora.track import Segment, Track
from svdx.errors import CorpusError

WORDS = {"sing": True, "nosing": False}
FORM = "expected 'start end sing' or 'start end nosing', times in seconds, as in '12.5 14.25 sing'"
LETTERS = {"m": True, "f": True, "g": True, "b": False, "n": False, "p": False, "e": False, "s": False}
POINT_FORM = "expected 'time label', the time in seconds, as in '12.5 m'"
OVERLAP = 1e-3  # seconds: allowed overlap, since other programs round times to milliseconds
SPECTRAL = "\\"  # first character of Audacity's lines with the frequency range of the label above

BEYOND = 1.0  # seconds that labels may exceed the audio, because of rounding or another encoding
FAR = 10.0  # labels of at least so many times the audio's length are not in seconds
SLACK = 1.05  # tolerated ratio of the last label's end to the audio's length, for a unit to be likely
UNITS = (  # number per second, ascending
    (200, "frames or hundredths of a second"),
    (1000, "milliseconds"),
    (8000, "samples at 8 kHz"),
    (16000, "samples at 16 kHz"),
    (22050, "samples at 22.05 kHz"),
    (44100, "samples at 44.1 kHz"),
    (48000, "samples at 48 kHz"),
    (96000, "samples at 96 kHz"),
    (192_000, "samples at 192 kHz"),
    (1_000_000, "microseconds"),
    (10_000_000, "HTK's units of 100 ns"),
)
LONGER_UNITS = ((3600, "hours"), (60, "minutes"))  # in seconds

log = logging.getLogger(__name__)


def is_lab(path: Path) -> bool:
    """Whether the extension is `.lab`, in upper or lower case."""
    return path.suffix.lower() == ".lab"


def read_lab(path: Path) -> tuple[Segment, ...]:
    """Parse a `.lab` file: each line is `start end word`, times in seconds, the word sing or nosing.

    Lines must ascend in time. If segments overlap by up to a millisecond, the later one is shortened. Ignores segments
    of length zero (Audacity's point labels) and Audacity's lines of spectral selections.

    Raises: CorpusError with file and line for anything else.
    """
    lines = [line for line in read_lines(path) if not line.text.startswith(SPECTRAL)]
    if not lines:
        raise CorpusError(f"{path}: empty; {FORM} (a track without singing: one line '0 LENGTH nosing')")
    segments: list[Segment] = []
    previous = 0.0
    for line in lines:
        start, end, vocal = _segment(line)
        if round(previous - start, 6) > OVERLAP:
            raise CorpusError(
                f"{line.where}: starts at {start:g} s, before the segment above ends at {previous:g} s; "
                "lines must ascend in time, without overlap"
            )
        start = max(start, previous)
        previous = max(end, previous)
        if end > start:
            segments.append(Segment(start, end, vocal))
    return tuple(segments)


def write_lab(path: Path, segments: Iterable[Segment]) -> None:
    """Write a `.lab` file; `read_lab` returns exactly the same segments."""
    word = {vocal: word for word, vocal in WORDS.items()}
    lines = (f"{float(s.start)!r} {float(s.end)!r} {word[bool(s.vocal)]}\n" for s in segments)
    path.write_text("".join(lines), encoding="utf-8", newline="\n")


def read_change_points(path: Path, duration: float) -> tuple[Segment, ...]:
    """Parse an RWC `VOCA_INST` file: each line is `time label`, valid until the time of the next line.

    The first letter of the label decides: m(ale), f(emale) and g(roup) are vocal; b, n, p, s and e(nd) are not.

    duration: length of the track in seconds, where the last label ends

    Raises: CorpusError with file and line.
    """
    lines = read_lines(path)
    if not lines:
        raise CorpusError(f"{path}: empty; {POINT_FORM}, on each line")
    points = [_change_point(line) for line in lines]
    for line, (above, _), (time, _) in zip(lines[1:], points, points[1:], strict=False):
        if time < above:
            raise CorpusError(f"{line.where}: {time:g} s follows {above:g} s in the line above; times must ascend")
    points.append((duration, False))
    return tuple(Segment(start, end, vocal) for (start, vocal), (end, _) in pairwise(points) if end > start)


def check_time_unit(track: Track, duration: float) -> None:
    """Check that labels are in seconds, by comparing the end of the last label with the length of the audio.

    duration: of the audio, in seconds

    ==================================  ===========================================================
    the last label ends                 result
    ==================================  ===========================================================
    up to 1 s after the audio           accepted, since times are rounded and encoders pad
    later, up to 10 times the length    warning: the audio may be the beginning of a longer version
    after 10 times the length           CorpusError with the likely unit
    in the first sixtieth of the audio  warning with the likely unit
    ==================================  ===========================================================
    """
    last = max((segment.end for segment in track.segments), default=duration)
    where, ratio = track.labels or f"labels of {track.audio}", last / duration
    ends = f"{where}: ends at {last:.15g} s, {track.audio.name} at {duration:.1f} s"
    longer = next((unit for seconds, unit in LONGER_UNITS if ratio * seconds <= SLACK), None)
    if longer and track.labels:
        log.warning(f"{ends}; if these are {longer}, write seconds")
    elif last > duration + BEYOND and ratio < FAR:
        log.warning(f"{ends}; are both of one recording?")
    elif last > duration + BEYOND:
        unit = next((unit for per_second, unit in UNITS if ratio <= SLACK * per_second), "another unit")
        raise CorpusError(f"{where}: looks like {unit}: {last:.15g} for a track of {duration:.1f} s; write seconds")


def _segment(line: Line) -> tuple[float, float, bool]:
    fields = line.text.split()
    if len(fields) != 3:
        raise CorpusError(f"{line.where}: {FORM}; found {quoted(line.text)}")
    start, end = (_seconds(field, line, FORM) for field in fields[:2])
    if end < start:
        raise CorpusError(
            f"{line.where}: ends at {end:g} s, before it starts at {start:g} s; swap or correct the times"
        )
    if fields[2] not in WORDS:
        raise CorpusError(f"{line.where}: {FORM}; found the word {quoted(fields[2])}")
    return start, end, WORDS[fields[2]]


def _change_point(line: Line) -> tuple[float, bool]:
    fields = line.text.split(maxsplit=1)
    if len(fields) != 2:
        raise CorpusError(f"{line.where}: {POINT_FORM}; found {quoted(line.text)}")
    letter = fields[1][0].lower()
    if letter not in LETTERS:
        letters = ", ".join(LETTERS)
        raise CorpusError(
            f"{line.where}: expected a label whose first letter is one of {letters}; found {quoted(fields[1])}"
        )
    return _seconds(fields[0], line, POINT_FORM), LETTERS[letter]


def _seconds(field: str, line: Line, form: str) -> float:
    try:
        seconds = float(field.replace("_", "?"))  # Python would read 1_5 as 15
    except ValueError:
        comma = " (write a decimal point, not a comma)" if "," in field else ""
        raise CorpusError(f"{line.where}: {form}; found the time {quoted(field)}{comma}") from None
    if not math.isfinite(seconds) or seconds < 0:
        raise CorpusError(f"{line.where}: {form}, not negative or infinite; found the time {quoted(field)}")
    return seconds
