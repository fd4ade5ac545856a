"""Mutate valid files: bytes, numbers, lengths, lines, and the entries of archives."""

from __future__ import annotations

import io
import zipfile
from random import Random

NUMBERS = (0, 1, 255, 32768, 65535, 10**9, 2**31 - 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1)
WORDS = (
    b"nan",
    b"-1",
    b"1e999",
    b"9" * 400,
    b"\x00",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r",
    b",",
    b"sing" * 5000,
    b"../x",
)
NAMES = ("../out.lab", "/tmp/out.lab", "a/b", "a", "C:\\x", "x\x00y", "jamendo", "x" * 300, "param0.npy", "data.pkl")
PACKED = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA


def mutated(data: bytes, random: Random) -> bytes:
    """Apply one to four changes; to archives, as often to the entries as to the file."""
    if data[:2] == b"PK" and random.random() < 0.5:
        return _repacked(data, random)
    for _ in range(random.randint(1, 4)):
        data = random.choice((_flipped, _overwritten, _cut, _doubled, _without, _with_word))(data, random)
    return data


def _position(data: bytes, random: Random) -> int:
    """A random position, half of the time near the beginning or the end, where headers are."""
    where = random.choice(("head", "tail", "anywhere", "anywhere"))
    n = len(data)
    return {"head": random.randrange(100), "tail": max(0, n - random.randrange(1, 100))}.get(
        where, random.randrange(n + 1)
    )


def _flipped(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 3, 30))):
        if changed:
            changed[_position(data, random) % len(changed)] = random.randrange(256)
    return bytes(changed)


def _overwritten(data: bytes, random: Random) -> bytes:
    size = random.choice((2, 4, 8))
    number = random.choice(NUMBERS) % 256**size
    position = _position(data, random)
    return data[:position] + number.to_bytes(size, random.choice(("little", "big"))) + data[position + size :]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: _position(data, random)]


def _doubled(data: bytes, random: Random) -> bytes:
    first, end = sorted((_position(data, random), _position(data, random)))
    return data[:end] + data[first:end] * random.choice((1, 1, 20)) + data[end:]


def _without(data: bytes, random: Random) -> bytes:
    first, end = sorted((_position(data, random), _position(data, random)))
    return data[:first] + data[end:]


def _with_word(data: bytes, random: Random) -> bytes:
    position = _position(data, random)
    return data[:position] + random.choice(WORDS) + data[position:]


def _repacked(data: bytes, random: Random) -> bytes:
    """Change, rename or enlarge one entry of an archive, with valid check sums."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(buffer, "w", random.choice(PACKED)) as target:
        entries = source.infolist()
        victim = random.choice(entries)
        for entry in entries:
            name, content = entry.filename, source.read(entry)
            if entry is victim:
                name, content = random.choice((_renamed, _spoilt, _blown_up, _blown_up))(name, content, random)
            target.writestr(zipfile.ZipInfo(name), content, target.compression)  # without a date
    return buffer.getvalue()


def _renamed(name: str, content: bytes, random: Random) -> tuple[str, bytes]:
    return random.choice(NAMES), content


def _spoilt(name: str, content: bytes, random: Random) -> tuple[str, bytes]:
    return name, mutated(content, random)


def _blown_up(name: str, content: bytes, random: Random) -> tuple[str, bytes]:
    return name, content + bytes(random.choice((10**4, 10**6, 10**7)))
