"""A file appears whole or not at all, and one process at a time makes it."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)


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
def locked(lock: Path, waiting: str = "") -> Iterator[None]:
    """Only one process, or thread, at a time is inside; a killed one holds nothing.

    waiting: what to say where another one is inside. Raises: OSError, before anything inside.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()  # says why where it cannot be; FileLock would wait for it forever
    held = FileLock(lock)
    try:
        held.acquire(blocking=False)
    except Timeout:
        if waiting:
            log.info(waiting)
        held.acquire()
    try:
        yield
    finally:
        held.release()
