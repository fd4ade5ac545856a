"""The errors that a user's input can cause.

The message of a `SvdxError` is one line that names the file or the key at fault and what to do. Any other exception is
a defect of svdx.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

CACHE = "set SVDX_CACHE to a directory that can be written"  # the hint for a cache that cannot be

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # not line ends and tabs


def printable(text: str) -> str:
    """Escape what terminals or text files cannot show: control characters and bytes of file names that are no UTF-8.

    >>> print(printable("caf\\udce9 \\x1b[31m"))
    caf\\udce9 \\x1b[31m
    """
    return UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], text)


class SvdxError(Exception):
    """Input that svdx cannot work with. `str(error)` is the line to show the user."""

    exit_code = 1


class TerminatedError(SvdxError):
    """A training that was stopped by a signal and saved its state."""

    exit_code = 128 + signal.SIGTERM  # as a shell reports it


class AudioError(SvdxError):
    """An audio file that is missing, empty, damaged, silent, not finite, or too short."""


class CorpusError(SvdxError):
    """A corpus whose root, lists, labels or splits are missing or contradict each other."""


class WeightsError(SvdxError):
    """A weight file that is missing, unsafe, of another network, or incompatible with its partner."""


class ScoreError(SvdxError):
    """A score of an explanation method that is not finite. number: index of the first such excerpt in its batch"""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


class TrainingError(SvdxError):
    """A training whose loss or weights became infinite or NaN."""


class ConfigError(SvdxError):
    """An option of the wrong type or outside its range, or options that exclude each other."""


@contextmanager
def writing(place: str | Path, hint: str) -> Iterator[None]:
    """Turn an OSError during writing to a place into a ConfigError that names the hint."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{place}: cannot be written ({error.strerror or error}): {hint}") from error


def expect_writable(place: str | Path, hint: str) -> None:
    """Raises ConfigError if a directory cannot be created or written to. It leaves nothing behind."""
    there = next(path for path in (Path(place).absolute(), *Path(place).absolute().parents) if path.exists())
    with writing(place, hint), TemporaryFile(dir=there):
        pass


def expect_file(path: Path) -> None:
    """Raises WeightsError if a file does not exist."""
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
