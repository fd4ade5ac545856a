"""What a file holds, in hex digits: a file that was exchanged is another, whatever its name, size and time say."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

BLOCK = 2**20  # bytes read at a time


def digest(path: str | Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits. The file is read when it is first asked for, and again when the system
    says that it was touched since: its time of change cannot be set. Raises: OSError."""
    status = Path(path).stat()
    return _read(str(path), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@cache
def _read(path: str, *status: int) -> str:
    found = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(BLOCK):
            found.update(block)
    return found.hexdigest()
