"""Checksums of files."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

BLOCK = 2**20  # bytes read at a time


def file_sha256(path: str | Path) -> str:
    """SHA-256 of a file's content, 64 hex digits.

    The result is cached until the file's inode, size, mtime or ctime changes; programs cannot set ctime.

    Raises: OSError.
    """
    status = Path(path).stat()
    return _sha256(str(path), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@cache
def _sha256(path: str, *status: int) -> str:
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
