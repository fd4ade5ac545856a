"""From a file that is right to one that is not: bytes, numbers, lengths and lines, and entries inside an archive."""

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
    """A file with one to four changes; of an archive as often inside as outside."""
    if data[:2] == b"PK" and random.random() < 0.5:
        return _repacked(data, random)
    for _ in range(random.randint(1, 4)):
        data = random.choice((_flipped, _overwritten, _cut, _doubled, _without, _with_word))(data, random)
    return data


def _place(data: bytes, random: Random) -> int:
    """Headers, at the beginning and at the end, are hit as often as all the rest."""
    where = random.choice(("head", "tail", "anywhere", "anywhere"))
    n = len(data)
    return {"head": random.randrange(100), "tail": max(0, n - random.randrange(1, 100))}.get(
        where, random.randrange(n + 1)
    )


def _flipped(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.choice((1, 3, 30))):
        if changed:
            changed[_place(data, random) % len(changed)] = random.randrange(256)
    return bytes(changed)


def _overwritten(data: bytes, random: Random) -> bytes:
    size = random.choice((2, 4, 8))
    number = random.choice(NUMBERS) % 256**size
    place = _place(data, random)
    return data[:place] + number.to_bytes(size, random.choice(("little", "big"))) + data[place + size :]


def _cut(data: bytes, random: Random) -> bytes:
    return data[: _place(data, random)]


def _doubled(data: bytes, random: Random) -> bytes:
    first, end = sorted((_place(data, random), _place(data, random)))
    return data[:end] + data[first:end] * random.choice((1, 1, 20)) + data[end:]


def _without(data: bytes, random: Random) -> bytes:
    first, end = sorted((_place(data, random), _place(data, random)))
    return data[:first] + data[end:]


def _with_word(data: bytes, random: Random) -> bytes:
    place = _place(data, random)
    return data[:place] + random.choice(WORDS) + data[place:]


def _repacked(data: bytes, random: Random) -> bytes:
    """The archive with one entry changed, renamed, blown up or doubled, so that its check sums are right."""
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
