"""Sound files of any format, made by FFmpeg's encoders."""

import io
import struct
import tempfile
from pathlib import Path

import av
import numpy as np
import soundfile
from av.stream import Disposition

RATE = 44100
UNTAGGED = {"write_xing": "0", "id3v2_version": "0"}  # an mp3 as a file splitter leaves it
CHUNK = 4096


def tones(*seconds, rate=RATE, levels=None, channels=2):
    """Seconds of 500 Hz, of 1000 Hz, of 1500 Hz, …, [channels, n] float32, each channel but the first half as loud."""
    levels = levels or [0.5] * len(seconds)
    parts = [
        level * np.sin(2 * np.pi * 500 * (number + 1) * np.arange(round(length * rate)) / rate)
        for number, (length, level) in enumerate(zip(seconds, levels))
    ]
    shares = np.array([1] + [0.5] * (channels - 1))
    return (shares[:, None] * np.concatenate(parts)).astype(np.float32)


def encoded(samples, codec, container, rate=RATE, layout=None, options=None, quality=None, bit_rate=128_000, default=0):
    """The bytes of a file with samples [channels, n] in it; several of them are several sounds of it.

    options: of the container; quality: of a variable bit rate; default: the number of the sound that is marked so
    """
    if codec == "vorbis":  # FFmpeg's own encoder is an experiment
        buffer = io.BytesIO()
        soundfile.write(buffer, samples.T, rate, format="OGG", subtype="VORBIS")
        return buffer.getvalue()
    sounds = samples if isinstance(samples, list) else [samples]
    with tempfile.TemporaryDirectory() as place:
        with av.open(f"{place}/sound", "w", format=container, container_options=options or {}) as file:
            streams = [
                file.add_stream(codec, rate=rate, layout=layout or {1: "mono", 2: "stereo", 6: "5.1"}[len(sound)])
                for sound in sounds
            ]
            for number, stream in enumerate(streams):
                stream.bit_rate = bit_rate
                stream.disposition = Disposition.default if number == default else Disposition(0)
                if quality is not None:
                    stream.codec_context.qscale, stream.codec_context.global_quality = True, 118 * quality
            for stream, sound in zip(streams, sounds):
                _encode(file, stream, sound)
        return Path(place, "sound").read_bytes()


def _encode(file, stream, sound):
    for first in range(0, sound.shape[1], CHUNK):
        piece = sound[:, first : first + CHUNK].T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(piece, "flt", stream.layout.name)
        frame.sample_rate, frame.pts = stream.rate, first
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))


def mp3(samples, **options):
    """An mp3 of a variable bit rate without a header that counts its frames."""
    return encoded(samples, "libmp3lame", "mp3", **{"options": UNTAGGED, "quality": 4, **options})


def id3(content):
    """An ID3v2 tag around some bytes."""
    n = len(content)
    return b"ID3\x03\0\0" + bytes(n >> 7 * seven & 127 for seven in (3, 2, 1, 0)) + content


def ape_tag(content):
    """An APEv2 tag with one item."""
    item = struct.pack("<II", len(content), 0) + b"Title\0" + content
    ends = [b"APETAGEX" + struct.pack("<IIII8x", 2000, len(item) + 32, 1, flags) for flags in (0xA0000000, 0x80000000)]
    return ends[0] + item + ends[1]


def riff(content, size=None, riff_size=None):
    """A wav's bytes with another size of its sound, or of all, in the header."""
    place = content.index(b"data") + 4
    changed = bytearray(content)
    if size is not None:
        changed[place : place + 4] = struct.pack("<I", size)
    if riff_size is not None:
        changed[4:8] = struct.pack("<I", riff_size)
    return bytes(changed)
