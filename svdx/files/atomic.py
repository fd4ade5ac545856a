"""Atomic writes and inter-process locks."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

log = logging.getLogger(__name__)


@contextmanager
def atomic_write(path: Path, single_writer: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside `path`. On success its data is flushed to disk and it replaces `path`; on error it
    is deleted and `path` keeps its old content.

    single_writer: no other process writes `path` at the same time. The temporary file then has a fixed name, so that a
        file left by a killed process is overwritten instead of accumulating.

    Raises: OSError.
    """
    temporary = path.with_name(f"{path.name}.part" if single_writer else f"{path.name}.{uuid4().hex}.part")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def scratch_directory(path: Path) -> Iterator[Path]:
    """Yield a new, empty directory at `path`. It is deleted in the end, with whatever has not been moved out of it.

    Raises: OSError.
    """
    shutil.rmtree(path, ignore_errors=True)  # left by a killed process
    path.mkdir(parents=True)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def process_lock(path: Path, waiting_message: str = "") -> Iterator[None]:
    """Hold an exclusive lock against other processes and threads. The system releases the lock of a killed process.

    waiting_message: logged if another process holds the lock.

    Raises: OSError if the lock file cannot be created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()  # raises at once where FileLock would retry forever
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if waiting_message:
            log.info(waiting_message)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
