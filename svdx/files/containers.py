"""Weight files that are zip archives inside: NumPy's .npz and Lightning's .ckpt. What they promise is held against
bounds before memory is taken, and nothing in them is executed.

Whoever reads them catches `UNREADABLE`, no more: a TypeError is a defect of svdx.
"""

from __future__ import annotations

import math
import pickletools
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.lib import format as npy

UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, OverflowError, struct.error, zlib.error, zipfile.BadZipFile)

LARGEST = 2**31  # bytes of all that is inside
RATIO = 100  # to the file's own size; weights hardly shrink, a bomb by 1000
ENTRIES = 10_000
LONGEST_PICKLE = 2**24  # bytes: names, numbers and shapes; the arrays lie beside it
PLAIN = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2"}
STORAGES = {
    f"torch {kind}Storage"
    for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
}


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an .npz file by name, without pickle.

    Raises: UNREADABLE for what is none, for one that would grow more than 100 times or beyond 2 GiB, and for an array
    that promises more than is there.
    """
    with zipfile.ZipFile(path) as archive:
        entries = _bounded(archive, path)
        return {entry.filename.removesuffix(".npy"): _array(archive, entry) for entry in entries}


def read_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint of plain values, on the CPU. Raises: UNREADABLE for another; nothing in it is executed."""
    expect_plain(path)
    found = _foreign(torch.load, path, map_location="cpu", weights_only=True)
    if not isinstance(found, dict):
        raise ValueError(f"it holds a {type(found).__name__}, not a checkpoint")
    return found


def expect_plain(path: Path) -> None:
    """Raises UNREADABLE unless a checkpoint holds tensors, numbers, words and their collections alone, unpacked.

    `torch.load(weights_only=True)` allows some classes more, and of the plain ones a `bytearray` of any size.
    """
    with zipfile.ZipFile(path) as archive:
        entries = _bounded(archive, path)
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("packed, as torch packs none")
        pickles = [entry for entry in entries if entry.filename.lower().endswith(".pkl")]
        if not pickles:
            raise ValueError("it holds no data.pkl")
        for entry in pickles:
            _expect_plain_pickle(archive, entry)


def _foreign(read: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """What another library's function reads. Raises: ValueError for whatever breaks in it, which of a damaged file may
    be anything."""
    try:
        return read(*args, **options)
    except Exception as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _bounded(archive: zipfile.ZipFile, path: Path) -> list[zipfile.ZipInfo]:
    """An archive's entries, if they are as few and as small as weights may be."""
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if len(entries) > ENTRIES:
        raise ValueError(f"it has {len(entries)} entries, more than {ENTRIES}")
    if size > min(LARGEST, RATIO * path.stat().st_size):
        raise ValueError(f"it would grow to {size / 2**20:.0f} MiB")
    return entries


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> np.ndarray:
    """One array, if it is as large as its header says."""
    read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    with archive.open(entry) as file:
        version = npy.read_magic(file)
        if version not in read:
            raise ValueError(f"{entry.filename} is of an unknown version of .npy, {version}")
        shape, _, dtype = _foreign(read[version], file)
        if min(shape, default=0) < 0 or math.prod(shape) * max(1, dtype.itemsize) > entry.file_size:
            raise ValueError(f"{entry.filename} promises {shape} numbers, more than are there")
    with archive.open(entry) as file:
        return _foreign(npy.read_array, file, allow_pickle=False)


def _expect_plain_pickle(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    if entry.file_size > LONGEST_PICKLE:
        raise ValueError(f"{entry.filename} has {entry.file_size} bytes, more than {LONGEST_PICKLE}")
    for code, argument, _ in pickletools.genops(archive.read(entry)):
        if code.name in ("GLOBAL", "INST") and argument not in PLAIN | STORAGES:
            raise ValueError(f"it holds a {argument.replace(' ', '.')}, which is no plain value")
        if code.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):
            raise ValueError("it holds objects, which are no plain values")
