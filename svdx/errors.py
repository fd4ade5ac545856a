"""The one family of errors that a user's input can cause.

Everything that svdx refuses ends in a `SvdxError` whose message is one line and names the file or the key at
fault and what to do about it. Any other exception is a defect of svdx.
"""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

CACHE = "set SVDX_CACHE to a directory that can be written"  # the cure where the cache cannot


UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # not line ends and tabs


def printable(text: str) -> str:
    """A text that any terminal and any file takes: control characters, and the bytes of a file's name that are no
    UTF-8, as escapes.

    >>> print(printable("caf\\udce9 \\x1b[31m"))
    caf\\udce9 \\x1b[31m
    """
    return UNPRINTABLE.sub(lambda found: repr(found[0])[1:-1], text)


class SvdxError(Exception):
    """Input that svdx cannot work with; `str(error)` is the line to show the user."""

    exit_code = 1


class TerminatedError(SvdxError):
    """Work that was told to stop, and left its state behind."""

    exit_code = 128 + signal.SIGTERM  # as a shell reports it


class AudioError(SvdxError):
    """An audio file that is missing, empty, damaged, silent, not finite, or shorter than what was asked of it."""


class CorpusError(SvdxError):
    """A corpus whose root, lists, labels or splits are missing or contradict each other."""


class WeightsError(SvdxError):
    """A weight file that is missing, unsafe, of another network, or that does not fit its partner."""


class ScoreError(SvdxError):
    """A score of an explanation method that is not finite. number: of the first such excerpt in its batch"""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.number = number


class TrainingError(SvdxError):
    """A training whose loss or weights are not finite numbers any more."""


class ConfigError(SvdxError):
    """A setting outside its range, or two settings that exclude each other."""


@contextmanager
def writing(place: str | Path, cure: str) -> Iterator[None]:
    """While a place is written to: what the disk refuses becomes a ConfigError that says what to do."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{place}: cannot be written ({error.strerror or error}): {cure}") from error


def expect_writable(place: str | Path, cure: str) -> None:
    """Raises ConfigError where a directory cannot be written to, or not be made; nothing is left there."""
    there = next(path for path in (Path(place).absolute(), *Path(place).absolute().parents) if path.exists())
    with writing(place, cure), TemporaryFile(dir=there):
        pass


def expect_file(path: Path) -> None:
    """Raises WeightsError where no file is."""
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")
