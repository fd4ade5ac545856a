"""Zip archives: downloaded corpora (.zip), NumPy's arrays (.npz) and Lightning's checkpoints (.ckpt).

The declared size of an archive is checked before anything is unpacked, no entry is written outside its directory, and
no code in a file is executed.
"""

from __future__ import annotations

import logging
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from svdx.errors import CorpusError

if TYPE_CHECKING:
    import numpy as np

MAX_CORPUS_BYTES = 16 * 2**30  # unpacked
MAX_WEIGHT_BYTES = 2 * 2**30

log = logging.getLogger(__name__)


class UnreadableError(Exception):
    """A file that is damaged, of another kind, or too large; `str(error)` is the reason in one line."""


@contextmanager
def _unreadable() -> Iterator[None]:
    """Turn errors of the libraries that parse a file into an UnreadableError: a damaged file may cause any of them."""
    try:
        yield
    except Exception as error:
        raise UnreadableError((str(error) or type(error).__name__).splitlines()[0]) from error


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name. Raises: UnreadableError, also for pickled objects."""
    import numpy as np

    _expect_bounded(path)
    with _unreadable(), np.load(path, allow_pickle=False) as file:
        return {name: np.asarray(array) for name, array in file.items()}  # an entry without an array header is bytes


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint of tensors and plain values, on the CPU. Raises: UnreadableError, also for other objects."""
    import torch

    _expect_bounded(path)
    with _unreadable():
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(checkpoint, dict):
        raise UnreadableError(f"it holds a {type(checkpoint).__name__}, not a checkpoint")
    return checkpoint


def _expect_bounded(path: Path) -> None:
    """Raises UnreadableError unless a file is a zip archive whose content takes at most `MAX_WEIGHT_BYTES`."""
    with _unreadable(), zipfile.ZipFile(path) as archive:
        sizes = [entry.file_size for entry in archive.infolist()]
    if sum(sizes) > MAX_WEIGHT_BYTES:
        raise UnreadableError(_too_large(sum(sizes), MAX_WEIGHT_BYTES))


def _too_large(size: int, limit: int) -> str:
    return f"its content takes {size / 2**30:.2f} GiB, more than {limit / 2**30:g}"


def unpack(archive: Path) -> Path:
    """Unpack a corpus to the directory `<archive without .zip>`, atomically, if that does not exist yet.

    Safe to call from several processes at once. Raises: CorpusError.
    """
    target = archive.with_suffix("")
    if target.is_dir():
        return target
    try:
        with FileLock(archive.with_name(f".{archive.name}.lock")):
            if not target.is_dir():  # unless another process unpacked it meanwhile
                log.info("unpacking %s to %s", archive, target)
                _unpack(archive, target)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        raise CorpusError(f"{archive}: damaged or unsafe zip archive ({error}): download it again") from error
    except (OSError, RuntimeError) as error:  # disk full or read-only; an unknown zip format
        raise CorpusError(
            f"{archive}: cannot be unpacked ({error}): unpack it by hand and give that directory as data.root"
        ) from error
    return target


def _unpack(archive: Path, target: Path) -> None:
    partial = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(partial, ignore_errors=True)  # of a killed process: we hold the lock
    try:
        partial.mkdir()
        with zipfile.ZipFile(archive) as source:
            size = sum(entry.file_size for entry in source.infolist())
            if size > MAX_CORPUS_BYTES:
                raise ValueError(_too_large(size, MAX_CORPUS_BYTES))
            for entry in source.infolist():
                path = partial / entry.filename
                if partial.resolve() not in path.resolve().parents:
                    raise ValueError(f"{entry.filename!r} would be written outside its directory")
                if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise RuntimeError(f"{entry.filename!r} is encrypted or compressed by an unusual method")
                if entry.is_dir() or _is_clutter(path.relative_to(partial)):
                    continue
                path.parent.mkdir(parents=True, exist_ok=True)
                with source.open(entry) as packed, path.open("xb") as file:  # reads no more than the declared size
                    shutil.copyfileobj(packed, file, 2**20)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _is_clutter(path: Path) -> bool:
    """Files that macOS and file managers add."""
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
