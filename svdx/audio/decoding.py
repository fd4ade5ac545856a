"""Decode sound files with FFmpeg, through PyAV."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import chain
from typing import BinaryIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.stream import Disposition

from svdx.audio.headers import id3_size

# Accepted formats. Not playlists, which would open other files, nor text, pictures and television streams.
FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,ircam,matroska,mov,mp3,nistsphere,ogg,paf,tta,voc,w64,wav,wv"
)
READ_BYTES = 1 << 16  # at a time
PROTECTED = ("aavd", "drms", "enca")  # codec tags of encrypted sound in mp4
ENCRYPTED = "encrypted, so that only its seller's program plays it; use a copy without protection"
FULL_SCALE = {
    "u8": 2**7,
    "s16": 2**15,
    "s32": 2**31,
    "flt": 1,
    "dbl": 1,
}  # FFmpeg's sample formats that NumPy has
COUNTING = ("aiff", "ape", "au", "flac", "mov", "tta", "wv")  # formats whose headers give the number of samples
NO_HEADER = "not readable as audio (its header gives no possible number of channels, or no rate)"
MAX_PLANES = 7  # PyAV reads beyond the last plane of a frame with more


class UndecodableError(ValueError):
    """A file without sound that can be decoded; `str(error)` is the reason."""


def open_container(file: BinaryIO) -> InputContainer:
    """Open a file with FFmpeg, also one with an ID3 tag in front, which programs add to files of any format.

    FFmpeg does not get the file's name, since it would trust the suffix. Raises: av.FFmpegError.
    """
    start = id3_size(file)
    try:
        return _container(file, 0)  # first with the tag: it helps FFmpeg to recognise an mp3
    except av.FFmpegError:
        if not start:
            raise
        return _container(file, start)


def _container(file: BinaryIO, start: int) -> InputContainer:
    source, options = SourceBytes(file, start), {"format_whitelist": FORMATS}
    return av.open(source, mode="r", options=options, metadata_errors="replace")


class SourceBytes:
    """The bytes of a file from `start` on, for FFmpeg, whose requests in a damaged file may be absurd."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self.file, self.start = file, start
        file.seek(start)

    def read(self, n: int) -> bytes:
        return self.file.read(min(n, READ_BYTES))

    def tell(self) -> int:
        return self.file.tell() - self.start

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self.file.seek(offset + self.start if whence == os.SEEK_SET else offset, whence) - self.start
        except (OSError, OverflowError, ValueError):
            return -errno.EINVAL


class Decoder:
    """Decoder of one audio stream of a container.

    number: the stream, counted from 0; None: the one marked as the default, else the first
    format: FFmpeg's name
    channels, rate (Hz): by the header, and after `begin` by the decoder
    positions: FFmpeg's name of each channel's position, such as FL or LFE; "" where the file does not name it
    lost: number of packets so far that could not be decoded

    Raises: UndecodableError
    """

    def __init__(self, container: InputContainer, number: int | None = None) -> None:
        self.format, self.stream = container.format.name.partition(",")[0], _chosen(container, number)
        context = self.stream.codec_context
        context.thread_count = 1  # FFmpeg's threads and ours would wait for each other
        layout = context.layout
        if not layout.nb_channels or not context.sample_rate:
            raise UndecodableError(NO_HEADER)
        self.channels, self.rate, self.positions = layout.nb_channels, context.sample_rate, _positions(layout)
        # PyAV frees the channel list of a layout in another order than FFmpeg's twice.
        context.layout = layout.name if " channels" not in layout.name else f"{self.channels} channels"
        self._packets, self._duration, self.lost = _packets(container, self.stream), 0, 0
        self._frames: Iterator[AudioFrame] = iter(())

    @property
    def duration(self) -> int | None:
        """The number of samples by the header, or by FFmpeg's estimate."""
        length = self.stream.duration
        return None if length is None else round(length * self._seconds_per_tick * self.rate)

    @property
    def _seconds_per_tick(self) -> Fraction:
        return self.stream.time_base or Fraction(0)

    @property
    def is_counted(self) -> bool:
        """Whether the header gives the number of samples."""
        return self.format in COUNTING

    @property
    def is_plain(self) -> bool:
        """Whether the samples are uncompressed, so that their number follows from the size."""
        return self.stream.codec_context.name.startswith("pcm_")

    def begin(self) -> None:
        """Decode the first frame, which is more reliable than the header. Raises: UndecodableError, av.FFmpegError."""
        frames = self._decoded()
        first = next(frames, None)
        if first is None:
            return
        self.rate, self._layout, positions = first.sample_rate, first.layout.name, _positions(first.layout)
        if any(positions) or len(positions) != self.channels:
            self.positions = positions
        self.channels = len(positions)
        self._frames = chain([first], frames)

    def counted(self) -> int:
        """The number of samples by the durations of the packets, exact to two packets, without decoding. Consumes the
        stream. Raises: av.FFmpegError."""
        for packet in self._packets:
            self._duration += packet.duration or 0
        return round(self._duration * self._seconds_per_tick * self.rate)

    def _decoded(self) -> Iterator[AudioFrame]:
        """The frames. Packets that cannot be decoded are skipped, as FFmpeg's own program does: for example, the header
        of the second of two files that were joined."""
        decoded = 0
        for packet in self._packets:
            self._duration += packet.duration or 0
            if packet.has_sidedata("encryption_info"):
                raise UndecodableError(ENCRYPTED)
            try:
                frames = self.stream.decode(packet)
            except av.error.MemoryError:
                raise
            except av.FFmpegError:
                self.lost += 1
                continue
            decoded += len(frames)
            yield from frames
        if self.lost > decoded:
            n = self.lost + decoded
            raise UndecodableError(f"damaged: {self.lost} of its {n} packets cannot be decoded; copy it again")

    def samples(self) -> Iterator[np.ndarray]:
        """The sound in pieces of any length, float32, [channels, n] each, full scale 1. Call `begin` first.

        Frames of another rate or layout, as in joined files, are converted to those of the first frame.
        """
        shape, converter = None, None
        for frame in self._frames:
            new = frame.format.name, frame.layout.name, frame.sample_rate
            if converter and new != shape:
                yield from map(_array, converter.resample(None))
                converter = None
            shape = new
            if new[1:] == (self._layout, self.rate) and _fits_numpy(frame):
                yield _array(frame)
                continue
            converter = converter or AudioResampler("flt", self._layout, self.rate)
            yield from map(_array, converter.resample(frame))
        if converter:
            yield from map(_array, converter.resample(None))


def _packets(container: InputContainer, stream: av.AudioStream) -> Iterator[av.Packet]:
    """The packets of a stream. PyAV raises IndexError at the end if another stream begins later in the file."""
    with suppress(IndexError):
        yield from container.demux(stream)


def _chosen(container: InputContainer, number: int | None) -> av.AudioStream:
    sounds = container.streams.audio
    if not sounds:
        raise UndecodableError(f"holds no sound{', only pictures' if container.streams.video else ''}")
    if number is not None and number >= len(sounds):
        raise UndecodableError(f"holds {len(sounds)} sounds; number {number}, counted from 0, is not among them")
    marked = (sound for sound in sounds if sound.disposition & Disposition.default)
    sound = next(marked, sounds[0]) if number is None else sounds[number]
    if sound.codec_context is None:
        raise UndecodableError("coded in a format that FFmpeg does not know; convert it to wav or flac")
    if sound.codec_context.codec_tag in PROTECTED:
        raise UndecodableError(ENCRYPTED)
    return sound


def _positions(layout: AudioLayout) -> tuple[str, ...]:
    return tuple("" if channel.name == "NONE" else channel.name for channel in layout.channels)


def _fits_numpy(frame: AudioFrame) -> bool:
    planar = frame.format.is_planar
    return _kind(frame) in FULL_SCALE and not (planar and frame.layout.nb_channels > MAX_PLANES)


def _kind(frame: AudioFrame) -> str:
    return frame.format.name.removesuffix("p")


def _array(frame: AudioFrame) -> np.ndarray:
    """A frame's samples, [channels, n]."""
    kind, values = _kind(frame), frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    if kind == "u8":
        values = values.astype(np.float32) - FULL_SCALE[kind]
    if FULL_SCALE[kind] == 1:
        return values.astype(np.float32, copy=False)
    return np.multiply(values, 1 / FULL_SCALE[kind], dtype=np.float32)
