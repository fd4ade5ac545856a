"""From the bytes of a sound file to samples: FFmpeg, which PyAV's wheels carry."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import BinaryIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.layout import AudioLayout
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.stream import Disposition

from svdx.audio.headers import behind_id3

# What a file may be. Left out: playlists, which would open other files, text and pictures, of which nothing sounds, and
# streams of television.
FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dsf,dts,eac3,flac,ircam,matroska,mov,mp3,nistsphere,ogg,paf,tta,voc,w64,wav,wv"
)
AT_ONCE = 1 << 16  # bytes read at a time
PROTECTED = ("aavd", "drms", "enca")  # as mp4 marks what is encrypted
ENCRYPTED = "encrypted, so that only its seller's program plays it; use a copy without protection"
FULL_SCALE = {"u8": 2**7, "s16": 2**15, "s32": 2**31, "flt": 1, "dbl": 1}  # of FFmpeg's samples that NumPy has too
COUNTING = ("aiff", "ape", "au", "flac", "mov", "tta", "wv")  # formats whose headers count the samples
NO_HEADER = "not readable as audio (its header gives no possible number of channels, or no rate)"
PLANES = 7  # of a frame with more of them PyAV reads beyond the last


class UndecodableError(ValueError):
    """A file without a sound that can be decoded; `str(error)` says why."""


def opened_container(file: BinaryIO) -> InputContainer:
    """An open file as FFmpeg sees it, also behind an ID3 tag, which people's programs put before anything.

    Its name is kept from FFmpeg, which would believe the ending. Raises: av.FFmpegError where it is no sound.
    """
    start = behind_id3(file)
    try:
        return _container(file, 0)  # the tag says what it is: an mp3's frames are no proof
    except av.FFmpegError:
        if not start:
            raise
        return _container(file, start)


def _container(file: BinaryIO, start: int) -> InputContainer:
    return av.open(SourceBytes(file, start), options={"format_whitelist": FORMATS}, metadata_errors="replace")


class SourceBytes:
    """The bytes of a file from a place on, for FFmpeg, which may ask for a place or a number of them that is absurd."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self.file, self.start = file, start
        file.seek(start)

    def read(self, n: int) -> bytes:
        return self.file.read(min(n, AT_ONCE))

    def tell(self) -> int:
        return self.file.tell() - self.start

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self.file.seek(place + self.start if whence == os.SEEK_SET else place, whence) - self.start
        except (OSError, OverflowError, ValueError):
            return -errno.EINVAL


class Decoder:
    """One sound of a container: that which is marked as the default, else the first, or the one of a number.

    format: FFmpeg's name
    channels, rate (Hz): what the header says, and from `begin` on what the decoder gives
    positions: FFmpeg's name of each channel's place, as FL or LFE; "" where the file does not say
    lost: packets that could not be decoded until now

    Raises: UndecodableError
    """

    def __init__(self, container: InputContainer, number: int | None = None) -> None:
        self.format, self.stream = container.format.name.partition(",")[0], _chosen(container, number)
        context = self.stream.codec_context
        context.thread_count = 1  # threads within threads wait for each other
        layout = context.layout
        if not layout.nb_channels or not context.sample_rate:
            raise UndecodableError(NO_HEADER)
        self.channels, self.rate, self.positions = layout.nb_channels, context.sample_rate, _positions(layout)
        # PyAV frees the list of channels twice that a layout has in another order than FFmpeg's.
        context.layout = layout.name if " channels" not in layout.name else f"{self.channels} channels"
        self._packets, self._passed, self.lost = _packets(container, self.stream), 0, 0
        self._frames: Iterator[AudioFrame] = iter(())

    @property
    def duration(self) -> int | None:
        """Samples by the header, or by FFmpeg's estimate where that does not count them."""
        length = self.stream.duration
        return None if length is None else round(length * self.stream.time_base * self.rate)

    @property
    def is_counted(self) -> bool:
        """Does the header count the samples?"""
        return self.format in COUNTING

    @property
    def is_plain(self) -> bool:
        """Are the samples stored as they are, so that their bytes count them?"""
        return self.stream.codec_context.name.startswith("pcm_")

    def begin(self) -> None:
        """Decode the first frame, which knows better than the header. Raises: UndecodableError, av.FFmpegError."""
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
        """Samples by what the packets say of themselves, without decoding: to two packets exact. Instead of `samples`.

        Raises: av.FFmpegError
        """
        for packet in self._packets:
            self._passed += packet.duration or 0
        return round(self._passed * self.stream.time_base * self.rate)

    def _decoded(self) -> Iterator[AudioFrame]:
        """The frames; as FFmpeg's own program does, what cannot be decoded is left out, as the header of the second of
        two files that were joined."""
        found = 0
        for packet in self._packets:
            self._passed += packet.duration or 0
            if packet.has_sidedata("encryption_info"):
                raise UndecodableError(ENCRYPTED)
            try:
                frames = packet.decode()
            except av.error.MemoryError:
                raise
            except av.FFmpegError:
                self.lost += 1
                continue
            found += len(frames)
            yield from frames
        if self.lost > found:
            n = self.lost + found
            raise UndecodableError(f"damaged: {self.lost} of its {n} packets cannot be decoded; copy it again")

    def samples(self) -> Iterator[np.ndarray]:
        """The sound in pieces of any length, float32, [channels, n] each, full scale 1, after `begin`.

        Frames of another rate or layout, as in a file that was joined from several, are converted to the first one's.
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
    """The packets of a stream. Where another stream begins later in the file, PyAV fails when all of them are read."""
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
        raise UndecodableError("coded in a way that FFmpeg does not know; convert it to wav or flac")
    if sound.codec_context.codec_tag in PROTECTED:
        raise UndecodableError(ENCRYPTED)
    return sound


def _positions(layout: AudioLayout) -> tuple[str, ...]:
    return tuple("" if channel.name == "NONE" else channel.name for channel in layout.channels)


def _fits_numpy(frame: AudioFrame) -> bool:
    planar = frame.format.is_planar
    return _kind(frame) in FULL_SCALE and not (planar and frame.layout.nb_channels > PLANES)


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
