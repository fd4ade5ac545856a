"""Sound files at the border: what a header says is held against what a sound can be, before anything is read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from svdx.audio.decoding import Decoder, UndecodableError, opened_container
from svdx.audio.headers import SoundBytes, promised_by_mp3, sound_bytes
from svdx.errors import AudioError

BLOCK = 1 << 16  # samples of each channel that are decoded at a time: a header's promise is never allocated
CHANNELS = 32
RATES = (1000, 768_000)  # Hz; a lower one holds no voice, a higher one is a mistake
VALUES = 2**31  # samples of all channels: six hours of stereo at 44.1 kHz
ANYWAY = 2**26  # of them may come from a file of any size
RATIO = 75  # beyond that: samples a byte. Opus for speech packs 64 into one, a bomb a thousand
CURE = "copy it again or convert it; wav, flac, ogg, mp3, m4a and most others are read"
LOST = 2  # packets: headers of joined files and tags within them are lost without a loss
PADDING = 4608  # samples by which a coded file may be shorter than its header says: four frames of an mp3

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SoundFile:
    """A sound file to read from, once.

    rate: in Hz; positions: of each channel, see `Decoder`; promised: samples that the header says there are, if it can
    be believed; stored: bytes of them, where the header counts those
    """

    path: Path
    decoder: Decoder
    promised: int | None
    stored: SoundBytes | None

    @property
    def channels(self) -> int:
        return self.decoder.channels

    @property
    def rate(self) -> int:
        return self.decoder.rate

    @property
    def positions(self) -> tuple[str, ...]:
        return self.decoder.positions

    def length(self) -> int:
        """Samples of each channel without decoding: by the header, or to two packets exact. Instead of `blocks`.

        Raises: AudioError
        """
        exact = self.decoder.is_counted or (self.decoder.is_plain and self.stored is not None)
        if exact and self.decoder.duration:
            return self.decoder.duration
        with _refused(self.path, "not readable to its end"):
            return self.decoder.counted()

    def blocks(self) -> Iterator[np.ndarray]:
        """The samples, float32, [channels, n] each with n near `BLOCK`.

        Raises: AudioError where they cannot be decoded, or are more than a file of this size should hold.
        """
        pieces, waiting, n = [], 0, 0
        with _refused(self.path, "not readable to its end"):
            for piece in self.decoder.samples():
                pieces.append(piece)
                waiting += piece.shape[1]
                if waiting >= BLOCK:
                    n += waiting
                    _expect_bounded(self.path, n * self.channels)
                    yield np.concatenate(pieces, axis=1)
                    pieces, waiting = [], 0
        if self.decoder.lost > LOST:
            log.warning(f"{self.path}: damaged: {self.decoder.lost} packets cannot be decoded and are left out")
        if pieces:
            _expect_bounded(self.path, (n + waiting) * self.channels)
            yield np.concatenate(pieces, axis=1)

    def expect_whole(self, n: int) -> None:
        """Raises AudioError if n samples of each channel are fewer than the header promises, or than the file holds."""
        cut = self.stored is not None and self.stored.there < 0.99 * self.stored.promised
        if cut or (self.promised is not None and n < self.promised - PADDING):
            raise AudioError(f"{self.path}: truncated: its header promises more than the {n} samples that are there")
        if self.stored is not None and self.stored.behind > 0.1 * self.stored.promised:
            raise AudioError(
                f"{self.path}: goes on for {self.stored.behind} bytes behind the {n} samples that its header counts, "
                "as where a recorder stopped or two files were joined; export it anew"
            )


def expect_audio_file(path: Path) -> None:
    """Raises AudioError where no file is."""
    if path.is_symlink() and not path.exists():
        raise AudioError(f"{path}: a broken link to {path.readlink()}")
    if not path.is_file():
        raise AudioError(f"{path}: no such audio file")


@contextmanager
def open_sound(path: str | Path, number: int | None = None) -> Iterator[SoundFile]:
    """A sound file to read from. number: which of several sounds in it, from 0; None: the default one.

    Raises: AudioError if the file is missing, is not audio, or has a header of what no music is: more than 32 channels,
    a rate outside 1 to 768 kHz, 2^31 samples.
    """
    path = Path(path)
    with ExitStack() as stack:
        with _refused(path):
            expect_audio_file(path)
            file = stack.enter_context(path.open("rb"))
            stored, frames = sound_bytes(file), promised_by_mp3(file)
            container = stack.enter_context(opened_container(file))
            decoder = Decoder(container, number)
            _expect_possible(path, decoder)
            decoder.begin()
            promised = decoder.duration if decoder.is_counted else None
            if decoder.format == "mp3" and frames is not None:
                promised = min(frames, decoder.duration or frames)  # FFmpeg takes off what the encoder added
            _expect_possible(path, decoder, promised)
        yield SoundFile(path, decoder, promised, stored)


@contextmanager
def _refused(path: Path, how: str = "not readable as audio") -> Iterator[None]:
    """What FFmpeg and the disk refuse becomes an AudioError."""
    try:
        yield
    except UndecodableError as error:
        raise AudioError(f"{path}: {error}") from error
    except av.FFmpegError as error:
        raise AudioError(f"{path}: {how} ({error.strerror}); {CURE}") from error
    except (OSError, ValueError) as error:  # the latter of a name that no file can have
        raise AudioError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _expect_bounded(path: Path, n: int) -> None:
    """Raises AudioError if n samples, of all channels together, are more than a file should hold, or than one of this
    size should."""
    if n >= VALUES:
        raise _too_long(path)
    if n > max(ANYWAY, RATIO * path.stat().st_size):
        raise AudioError(f"{path}: unpacks to more than {RATIO} samples a byte, as no music does; export it anew")


def _expect_possible(path: Path, decoder: Decoder, promised: int | None = None) -> None:
    if decoder.channels > CHANNELS:
        raise AudioError(f"{path}: has {decoder.channels} channels, {CHANNELS} are read at most; mix it down")
    if not RATES[0] <= decoder.rate <= RATES[1]:
        low, high = RATES
        raise AudioError(f"{path}: its sample rate is {decoder.rate} Hz; {low} to {high} are read: export it anew")
    if (promised or 0) * decoder.channels >= VALUES:
        raise _too_long(path)


def _too_long(path: Path) -> AudioError:
    return AudioError(f"{path}: holds {VALUES} samples or more, or says so; cut it into shorter files")
