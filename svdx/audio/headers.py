"""What the header of a sound file promises, where FFmpeg does not tell."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

STREAMED = 0x7FFFF000  # bytes: sizes near 2^31 and above stand in files whose writer did not know the length
MOST = 1000  # chunks or tags that a file is looked through for
FIRST = 1 << 16  # bytes behind its tags in which an mp3 has its first frame
XING = re.compile(
    rb"\xff([\xe2-\xff])..(?:(?:.{9}|.{17}|.{32})(?:..)?(?:Xing|Info)\0\0\0[\x01\x03\x05\x07\x09\x0b\x0d\x0f]"
    rb"|.{32}VBRI.{10})(.{4})",
    re.DOTALL,
)


class Layout(NamedTuple):
    """How a container is cut into chunks.

    first: the byte at which the first chunk begins; head: of each chunk, its name and size; counted: bytes of the head
    that are in the size; multiple: of how many bytes a chunk is made
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
    """Bytes of sound in a container of chunks: those that the header promises, those that are there at most, and those
    behind the sound that belong to no chunk."""

    promised: int
    there: int
    behind: int


def sound_bytes(file: BinaryIO) -> SoundBytes | None:
    """What a wav, w64 or caf file says of its sound; None of another file, and where its writer did not know."""
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
            behind = begin + size + -size % layout.multiple
            return SoundBytes(size, end - begin, _in_no_chunk(file, layout, behind, end))
    return None


def _chunks(file: BinaryIO, layout: Layout, place: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and size of each chunk from a place on."""
    for _ in range(MOST):
        file.seek(min(place, 2**62))
        head = file.read(layout.head.size)
        if len(head) < layout.head.size:
            return
        name, size = layout.head.unpack(head)
        size -= layout.counted
        yield name, place + layout.head.size, size
        if size < 0:
            return
        place += layout.head.size + size + -size % layout.multiple


def _in_no_chunk(file: BinaryIO, layout: Layout, place: int, end: int) -> int:
    """How many bytes from a place on belong to no chunk. A second file that was joined is no chunk either."""
    for name, begin, size in _chunks(file, layout, place):
        if len(name) == 4 and (not re.fullmatch(rb"[\w ]{4}", name) or name in LAYOUTS or begin + size > end + 1):
            return end - begin + layout.head.size
    return 0


def promised_by_mp3(file: BinaryIO) -> int | None:
    """Samples that the header of an mp3 promises, of the encoder's padding too; None where it has no such header."""
    file.seek(behind_id3(file))
    found = XING.search(file.read(FIRST))
    if not found:
        return None
    in_a_frame = 1152 if found[1][0] & 8 else 576  # MPEG-1, or the lower rates of MPEG-2
    return in_a_frame * int.from_bytes(found[2], "big")


def behind_id3(file: BinaryIO) -> int:
    """The byte behind the ID3v2 tags with which a file begins."""
    place = 0
    for _ in range(MOST):
        file.seek(place)
        head = file.read(10)
        if len(head) < 10 or head[:3] != b"ID3" or max(head[6:]) > 127:
            break
        size = sum(bits << 7 * (3 - n) for n, bits in enumerate(head[6:]))
        place += 10 + size + (10 if head[5] & 16 else 0)  # a footer
    return place
