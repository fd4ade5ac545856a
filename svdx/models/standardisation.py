"""Files that hold what a classifier standardises its excerpts by."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from svdx.errors import WeightsError, expect_file
from svdx.files.containers import UNREADABLE, read_arrays

LARGEST_TABLE = 2**20  # characters of a standardisation


def load_standardisation(path: str | Path, n_bands: int) -> tuple[Tensor, Tensor]:
    """Read per-band mean and standard deviation, [n_bands] float32 each, from .csv (band, mean, std) or .npz."""
    path = Path(str(path))
    expect_file(path)
    try:
        columns = read_arrays(path) if path.suffix == ".npz" else _table(path)
        missing = [name for name in ("mean", "std") if name not in columns]
        if missing:
            raise ValueError(f"there is no {missing[0]}")
        mean, std = columns["mean"], columns["std"]
        if {mean.dtype.kind, std.dtype.kind} - set("fiu"):
            raise ValueError("they are no numbers")
    except (*UNREADABLE, csv.Error) as error:
        raise WeightsError(f"{path}: not a standardisation; expected mean and std for every band ({error})") from error
    if mean.shape != (n_bands,) or std.shape != (n_bands,) or not (np.isfinite(mean).all() and (std > 0).all()):
        raise WeightsError(f"{path}: expected {n_bands} finite means and {n_bands} positive standard deviations")
    return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(std.astype(np.float32))


def _table(path: Path) -> dict[str, np.ndarray]:
    """Mean and std of a .csv file, where it has such columns. Raises: OSError, ValueError, csv.Error."""
    with path.open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file.read(LARGEST_TABLE).splitlines()))
    found = [name for name in ("mean", "std") if rows and name in rows[0]]
    return {name: np.array([float(row[name] or "") for row in rows]) for name in found}
