"""A file appears whole or not at all, and one process at a time makes it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock


@contextmanager
def whole(path: Path, alone: bool = False) -> Iterator[Path]:
    """A path beside `path` to write to; in the end it is on the disk and takes the name, or is gone.

    alone: nobody else writes `path` meanwhile, so that what a killed process left is written over
    Raises: OSError.
    """
    unfinished = path.with_name(f"{path.name}.part" if alone else f"{path.name}.{uuid4().hex}.part")
    try:
        yield unfinished
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def locked(lock: Path) -> Iterator[None]:
    """Only one process, or thread, at a time is inside; a killed one holds nothing. Raises: OSError."""
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()  # says why where it cannot be; FileLock would wait for it forever
    with FileLock(lock):
        yield
