"""Open sound files, and check their headers before anything is decoded."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from svdx.audio.decoding import Decoder, UndecodableError, open_container
from svdx.audio.headers import SoundBytes, mp3_length, sound_bytes
from svdx.errors import AudioError

BLOCK = 1 << 16  # samples of each channel that are decoded at a time; never what a header declares
MAX_CHANNELS = 32
RATES = (1000, 768_000)  # Hz; a lower one holds no voice, a higher one is a mistake
MAX_SAMPLES = 2**31  # of all channels: six hours of stereo at 44.1 kHz
ALWAYS_ALLOWED = 2**26  # samples of all channels, whatever the size of the file
SAMPLES_PER_BYTE = 75  # allowed beyond that; Opus for speech reaches 64, a decompression bomb thousands
CURE = "copy it again or convert it; wav, flac, ogg, mp3, m4a and most others are read"
TOLERATED_PACKETS = 2  # not decodable: headers of joined files and embedded tags
PADDING = 4608  # samples by which a coded file may be shorter than its header declares: four frames of an mp3

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SoundFile:
    """An open sound file, which can be read once.

    rate: in Hz; channels, positions: see `Decoder`
    declared: number of samples by the header; None if it gives none or is unreliable
    stored: sizes by the header; None if it gives none
    """

    path: Path
    decoder: Decoder
    declared: int | None
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
        """The number of samples of each channel without decoding, by the header or exact to two packets. Consumes the
        file. Raises: AudioError."""
        exact = self.decoder.is_counted or (self.decoder.is_plain and self.stored is not None)
        if exact and self.decoder.duration:
            return self.decoder.duration
        with _refused(self.path, "not readable to its end"):
            return self.decoder.counted()

    def blocks(self) -> Iterator[np.ndarray]:
        """The samples in blocks, float32, [channels, n] each with n near `BLOCK`.

        Raises: AudioError if they cannot be decoded, or are more than a file of this size should hold.
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
        if self.decoder.lost > TOLERATED_PACKETS:
            log.warning(f"{self.path}: damaged: {self.decoder.lost} packets cannot be decoded and are left out")
        if pieces:
            _expect_bounded(self.path, (n + waiting) * self.channels)
            yield np.concatenate(pieces, axis=1)

    def expect_complete(self, n: int) -> None:
        """Raises AudioError if n decoded samples of each channel are fewer than the header declares, or than the file
        holds."""
        cut = self.stored is not None and self.stored.available < 0.99 * self.stored.declared
        if cut or (self.declared is not None and n < self.declared - PADDING):
            raise AudioError(f"{self.path}: truncated: its header declares more than the {n} samples that it holds")
        if self.stored is not None and self.stored.trailing > 0.1 * self.stored.declared:
            raise AudioError(
                f"{self.path}: {self.stored.trailing} bytes follow the {n} samples that its header declares, "
                "as where a recorder stopped or two files were joined; export it again"
            )


def expect_audio_file(path: Path) -> None:
    """Raises AudioError unless the path is a file."""
    if path.is_symlink() and not path.exists():
        raise AudioError(f"{path}: broken link to {path.readlink()}")
    if not path.is_file():
        raise AudioError(f"{path}: no such audio file")


@contextmanager
def open_sound(path: str | Path, number: int | None = None) -> Iterator[SoundFile]:
    """Open a sound file. number: the audio stream, counted from 0; None: the default one.

    Raises: AudioError if the file is missing, is not audio, or declares what no music has: more than 32 channels, a
    rate outside 1 to 768 kHz, 2^31 samples.
    """
    path = Path(path)
    with ExitStack() as stack:
        with _refused(path):
            expect_audio_file(path)
            file = stack.enter_context(path.open("rb"))
            stored, mp3_samples = sound_bytes(file), mp3_length(file)
            container = stack.enter_context(open_container(file))
            decoder = Decoder(container, number)
            _expect_possible(path, decoder)
            decoder.begin()
            declared = decoder.duration if decoder.is_counted else None
            if decoder.format == "mp3" and mp3_samples is not None:
                declared = min(mp3_samples, decoder.duration or mp3_samples)  # FFmpeg subtracts the encoder's padding
            _expect_possible(path, decoder, declared)
        yield SoundFile(path, decoder, declared, stored)


@contextmanager
def _refused(path: Path, how: str = "not readable as audio") -> Iterator[None]:
    """Turn errors of FFmpeg and of the disk into an AudioError."""
    try:
        yield
    except UndecodableError as error:
        raise AudioError(f"{path}: {error}") from error
    except av.FFmpegError as error:
        raise AudioError(f"{path}: {how} ({error.strerror}); {CURE}") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        raise AudioError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def _expect_bounded(path: Path, n: int) -> None:
    """Raises AudioError if n samples of all channels are too many for any file, or for one of this size."""
    if n >= MAX_SAMPLES:
        raise _too_long(path)
    if n > max(ALWAYS_ALLOWED, SAMPLES_PER_BYTE * path.stat().st_size):
        raise AudioError(
            f"{path}: decodes to more than {SAMPLES_PER_BYTE} samples per byte, as no music does; export it again"
        )


def _expect_possible(path: Path, decoder: Decoder, declared: int | None = None) -> None:
    if decoder.channels > MAX_CHANNELS:
        raise AudioError(f"{path}: has {decoder.channels} channels; at most {MAX_CHANNELS} are read: mix it down")
    if not RATES[0] <= decoder.rate <= RATES[1]:
        low, high = RATES
        raise AudioError(f"{path}: its sample rate is {decoder.rate} Hz; {low} to {high} are read: export it again")
    if (declared or 0) * decoder.channels >= MAX_SAMPLES:
        raise _too_long(path)


def _too_long(path: Path) -> AudioError:
    return AudioError(f"{path}: holds or declares {MAX_SAMPLES} samples or more; cut it into shorter files")
