"""The original programs' weight files: arrays param0 … paramN of a Lasagne network in an .npz file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from svdx.errors import WeightsError
from svdx.files.archives import UnreadableError, read_arrays
from svdx.models.inverter import EPSILON
from svdx.models.svdnet import SVDNet
from svdx.models.upconv import UpConv

EXPECTED = "expected plain arrays param0, param1, … as Lasagne saves them"
FLIP = (-2, -1)  # Theano convolves, PyTorch correlates: kernels are mirrored in both spatial axes


def read_svdnet(path: Path) -> SVDNet:
    """Read W and b of every layer; the file holds no standardisation. Raises: WeightsError."""
    arrays, network = _arrays(path), SVDNet()
    if len(arrays) != 2 * len(network.layers()):
        raise WeightsError(f"{path}: not an SVDNet: {len(arrays)} arrays, expected {2 * len(network.layers())}")
    pairs: list[tuple[Tensor | None, np.ndarray]] = []
    for layer, weight, bias in zip(network.layers(), arrays[::2], arrays[1::2], strict=True):
        pairs += [(layer.weight, _to_torch(weight)), (layer.bias, bias)]
    _assign(pairs, path, "SVDNet")
    return network


def read_upconv(path: Path) -> UpConv:
    """Read W, β, γ, running mean and inverse standard deviation of every layer, and the last W and b.

    Raises: WeightsError.
    """
    arrays = _arrays(path)
    if len(arrays) != 52 or arrays[10].ndim != 4 or arrays[10].shape[1] % 8 or not arrays[10].size:
        raise WeightsError(
            f"{path}: not an inverter: {len(arrays)} arrays, expected 52 of which the 11th has a multiple of 8 channels"
        )
    network = UpConv(width=arrays[10].shape[1])
    *inner, last = network.linear_layers()
    pairs: list[tuple[Tensor | None, np.ndarray]] = []
    for i, (layer, norm) in enumerate(zip(inner, network.norm_layers(), strict=True)):
        weight, beta, gamma, mean, inverse_std = arrays[5 * i : 5 * i + 5]
        pairs += [(layer.weight, _to_torch(weight)), (norm.bias, beta), (norm.weight, gamma)]
        with np.errstate(divide="ignore"):
            pairs += [(norm.running_mean, mean), (norm.running_var, 1 / inverse_std**2 - EPSILON)]
    pairs += [(last.weight, _to_torch(arrays[-2])), (last.bias, arrays[-1])]
    _assign(pairs, path, "inverter of Table I's layers")
    return network


def _arrays(path: Path) -> list[np.ndarray]:
    try:
        arrays = read_arrays(path)
    except UnreadableError as error:
        raise WeightsError(f"{path}: {EXPECTED} ({error})") from error
    names = [f"param{i}" for i in range(len(arrays))]
    if missing := [name for name in names if name not in arrays]:
        raise WeightsError(f"{path}: {EXPECTED} ({missing[0]} is missing)")
    if any(array.dtype.kind not in "fiu" for array in arrays.values()):
        raise WeightsError(f"{path}: {EXPECTED} (some of them hold no numbers)")
    return [arrays[name] for name in names]


def _assign(pairs: list[tuple[Tensor | None, np.ndarray]], path: Path, network: str) -> None:
    with torch.no_grad():
        for target, array in pairs:
            assert target is not None  # optional in PyTorch's types
            if tuple(target.shape) != array.shape:
                raise WeightsError(
                    f"{path}: not a {network}: an array has shape {array.shape} where {tuple(target.shape)} is needed"
                )
            target.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def _to_torch(weight: np.ndarray) -> np.ndarray:
    return np.flip(weight, FLIP) if weight.ndim == 4 else weight.T
