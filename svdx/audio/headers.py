"""Lengths that the headers of sound files declare and FFmpeg does not report."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

STREAMED = 0x7FFFF000  # bytes; a writer that does not know the length declares such a size or a larger one
MAX_CHUNKS = 1000  # chunks or tags that are read
MP3_HEAD = 1 << 16  # bytes after the tags that are searched for an mp3's first frame
XING = re.compile(
    rb"\xff([\xe2-\xff])..(?:(?:.{9}|.{17}|.{32})(?:..)?(?:Xing|Info)\0\0\0[\x01\x03\x05\x07\x09\x0b\x0d\x0f]"
    rb"|.{32}VBRI.{10})(.{4})",
    re.DOTALL,
)


class Layout(NamedTuple):
    """Chunk layout of a container.

    first: position of the first chunk
    head: format of a chunk's name and size
    counted: bytes of the head that the size includes
    multiple: chunks are padded to a multiple of so many bytes
    """

    first: int
    head: struct.Struct
    counted: int
    multiple: int


LAYOUTS = {
    b"RIFF": Layout(12, struct.Struct("<4sI"), 0, 2),
    b"RF64": Layout(12, struct.Struct("<4sI"), 0, 2),
    b"riff": Layout(40, struct.Struct("<16sQ"), 24, 8),  # w64
    b"caff": Layout(8, struct.Struct(">4sq"), 0, 1),
}


class SoundBytes(NamedTuple):
    """Sizes in bytes of the sound in a container of chunks.

    declared: by the header
    available: at most, by the size of the file
    trailing: after the sound, in no chunk
    """

    declared: int
    available: int
    trailing: int


def sound_bytes(file: BinaryIO) -> SoundBytes | None:
    """The sizes of the sound in a wav, w64 or caf file; None for other files, and if the header gives none."""
    file.seek(0)
    layout = LAYOUTS.get(file.read(4))
    if layout is None:
        return None
    end, long_size = file.seek(0, os.SEEK_END), None
    for name, begin, size in _chunks(file, layout, layout.first):
        if name == b"ds64":
            file.seek(begin)
            long_size = int.from_bytes(file.read(16)[8:], "little")
        if name.startswith(b"data"):
            size = long_size if long_size and size == 2**32 - 1 else size
            if size <= 0 or STREAMED <= size < 2**32:
                return None
            after = begin + size + -size % layout.multiple
            return SoundBytes(size, end - begin, _bytes_in_no_chunk(file, layout, after, end))
    return None


def _chunks(file: BinaryIO, layout: Layout, position: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and size of each chunk from a position on."""
    for _ in range(MAX_CHUNKS):
        file.seek(min(position, 2**62))
        head = file.read(layout.head.size)
        if len(head) < layout.head.size:
            return
        name, size = layout.head.unpack(head)
        size -= layout.counted
        yield name, position + layout.head.size, size
        if size < 0:
            return
        position += layout.head.size + size + -size % layout.multiple


def _bytes_in_no_chunk(file: BinaryIO, layout: Layout, position: int, end: int) -> int:
    """The number of bytes from a position on that belong to no chunk. A second file appended to the first is none."""
    for name, begin, size in _chunks(file, layout, position):
        if len(name) == 4 and (not re.fullmatch(rb"[\w ]{4}", name) or name in LAYOUTS or begin + size > end + 1):
            return end - begin + layout.head.size
    return 0


def mp3_length(file: BinaryIO) -> int | None:
    """The samples, with the encoder's padding, that an mp3's Xing, Info or VBRI header declares; None without one."""
    file.seek(id3_size(file))
    header = XING.search(file.read(MP3_HEAD))
    if not header:
        return None
    samples_per_frame = 1152 if header[1][0] & 8 else 576  # MPEG-1, or the lower rates of MPEG-2
    return samples_per_frame * int.from_bytes(header[2], "big")


def id3_size(file: BinaryIO) -> int:
    """The size in bytes of the ID3v2 tags at the beginning of a file."""
    position = 0
    for _ in range(MAX_CHUNKS):
        file.seek(position)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:]) > 127:
            break
        size = sum(bits << 7 * (3 - n) for n, bits in enumerate(head[6:]))
        position += 10 + size + (10 if head[5] & 16 else 0)  # a footer
    return position
