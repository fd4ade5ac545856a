"""Sound files at the border: what a header says is held against what a sound can be, before anything is read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import soundfile

from svdx.errors import AudioError

CHANNELS = 32
RATES = (1000, 768_000)  # Hz; a lower one holds no voice, a higher one is a mistake
VALUES = 2**31  # samples of all channels: six hours of stereo at 44.1 kHz
ANYWAY = 2**26  # of them may come from a file of any size
RATIO = 75  # beyond that: samples a byte. Opus for speech packs 64 into one, a bomb a thousand
HEAD = 1 << 20  # bytes in which an mp3 has its first frame


@contextmanager
def opened(path: str | Path) -> Iterator[soundfile.SoundFile]:
    """A sound file to read from.

    Raises: AudioError if the file is missing, is not audio, or has a header of what no music is: more than 32 channels,
    a rate outside 1 to 768 kHz, 2^31 samples.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise AudioError(f"{path}: no such audio file")
        if path.suffix.lower() == ".raw":
            raise _unreadable(path, "raw samples, without a header")
        if _is_no_mp3(path):
            raise _unreadable(path, "no MPEG frame in it")
        with soundfile.SoundFile(os.fsencode(path)) as file:
            _expect_possible(file, path)
            yield file
    except soundfile.SoundFileError as error:
        raise _unreadable(path, getattr(error, "error_string", str(error)).strip()) from error
    except (OSError, ValueError) as error:  # the latter of a name that no file can have
        raise AudioError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def expect_bounded(path: str | Path, n: int) -> None:
    """Raises AudioError if n samples, of all channels together, are more than a file should hold, or than one of this
    size should."""
    if n >= VALUES:
        raise _too_long(path)
    if n > max(ANYWAY, RATIO * Path(path).stat().st_size):
        raise AudioError(f"{path}: unpacks to more than {RATIO} samples a byte, as no music does; export it anew")


def _expect_possible(file: soundfile.SoundFile, path: Path) -> None:
    if file.channels > CHANNELS:
        raise AudioError(f"{path}: has {file.channels} channels, {CHANNELS} are read at most; mix it down")
    if not RATES[0] <= file.samplerate <= RATES[1]:
        low, high = RATES
        raise AudioError(f"{path}: its sample rate is {file.samplerate} Hz; {low} to {high} are read: export it anew")
    if file.frames * file.channels >= VALUES:
        raise _too_long(path)


def _too_long(path: str | Path) -> AudioError:
    return AudioError(f"{path}: holds {VALUES} samples or more, or says so; cut it into shorter files")


def _unreadable(path: Path, reason: str) -> AudioError:
    return AudioError(f"{path}: not readable as audio ({reason}); wav, flac, ogg and mp3 are read")


def _is_no_mp3(path: Path) -> bool:
    """Is this text with an mp3's name, a page that was downloaded instead? No frame begins without the byte 255.

    The decoder would look for one to the end of the file and write about it to stderr.
    """
    if path.suffix.lower() != ".mp3":
        return False
    with path.open("rb") as file:
        return b"\xff" not in file.read(HEAD)
