"""Standardisation files: mean and standard deviation of each band."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from svdx.errors import WeightsError, expect_file
from svdx.files.archives import UnreadableError, read_arrays

LARGEST_TABLE = 2**20  # characters read of a .csv file


def load_standardisation(path: str | Path, n_bands: int) -> tuple[Tensor, Tensor]:
    """Read mean and standard deviation per band, [n_bands] float32 each, from .csv (band, mean, std) or .npz.

    Raises: WeightsError.
    """
    path = Path(str(path))
    expect_file(path)
    try:
        columns = read_arrays(path) if path.suffix == ".npz" else _table(path)
        missing = [name for name in ("mean", "std") if name not in columns]
        if missing:
            raise ValueError(f"{missing[0]} is missing")
        mean, std = columns["mean"], columns["std"]
        if {mean.dtype.kind, std.dtype.kind} - set("fiu"):
            raise ValueError("mean and std hold no numbers")
    except (UnreadableError, OSError, ValueError, csv.Error) as error:
        raise WeightsError(f"{path}: not a standardisation; expected mean and std for every band ({error})") from error
    if mean.shape != (n_bands,) or std.shape != (n_bands,) or not (np.isfinite(mean).all() and (std > 0).all()):
        raise WeightsError(f"{path}: expected {n_bands} finite means and {n_bands} positive standard deviations")
    return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(std.astype(np.float32))


def _table(path: Path) -> dict[str, np.ndarray]:
    """The columns mean and std of a .csv file, if it has them. Raises: OSError, ValueError, csv.Error."""
    with path.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file.read(LARGEST_TABLE).splitlines()))
    names = [name for name in ("mean", "std") if rows and name in rows[0]]
    return {name: np.array([float(row[name] or "") for row in rows]) for name in names}
