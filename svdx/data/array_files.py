"""Array files of a cache: .npy files that end with their own name, so that one cut short or not ours is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from svdx.files.atomic import atomic_write


def write_sealed(path: Path, array: np.ndarray) -> None:
    """Write an array, whole or not at all; nobody else may write `path` meanwhile. Raises: OSError."""
    array = np.ascontiguousarray(array)
    with atomic_write(path, single_writer=True) as unfinished, unfinished.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data)
        file.write(_seal(path))


def is_sealed(path: Path) -> bool:
    """Is an array there that `write_sealed` wrote to this path, to its end? Raises: OSError where it cannot be read."""
    seal = _seal(path)
    if not path.is_file() or path.stat().st_size < len(seal):
        return False
    with path.open("rb") as file:
        file.seek(-len(seal), os.SEEK_END)
        return file.read() == seal


def _seal(path: Path) -> bytes:
    return f"\n{path.name}\n".encode()
