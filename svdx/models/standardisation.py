"""Files that hold what a classifier standardises its excerpts by."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from svdx.containers import read_arrays
from svdx.errors import WeightsError, expect_file

LARGEST_TABLE = 2**20  # characters of a standardisation


def load_standardisation(path: str | Path, n_bands: int) -> tuple[Tensor, Tensor]:
    """Read per-band mean and standard deviation, [n_bands] float32 each, from .csv (band, mean, std) or .npz."""
    path = Path(str(path))
    expect_file(path)
    try:
        if path.suffix == ".npz":
            arrays = read_arrays(path)
            mean, std = arrays["mean"], arrays["std"]
        else:
            with path.open(encoding="utf-8-sig") as file:
                rows = list(csv.DictReader(file.read(LARGEST_TABLE).splitlines()))
            mean, std = (np.array([float(row[key]) for row in rows]) for key in ("mean", "std"))
    except Exception as error:  # numpy, zipfile and zlib raise a dozen kinds for a damaged file
        raise WeightsError(f"{path}: not a standardisation; expected mean and std for every band ({error})") from error
    if mean.shape != (n_bands,) or std.shape != (n_bands,) or not (np.isfinite(mean).all() and (std > 0).all()):
        raise WeightsError(f"{path}: expected {n_bands} finite means and {n_bands} positive standard deviations")
    return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(std.astype(np.float32))
