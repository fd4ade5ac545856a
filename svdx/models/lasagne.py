"""The original programs' weights: the arrays param0 … paramN of a Lasagne network, in an .npz file, without pickle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from svdx.errors import WeightsError
from svdx.files.containers import UNREADABLE, read_arrays
from svdx.models.inverter import EPSILON
from svdx.models.svdnet import SVDNet
from svdx.models.upconv import UpConv

FLIP = (-2, -1)  # Theano convolves, PyTorch correlates: kernels are mirrored in both spatial axes


def read_svdnet(path: Path) -> SVDNet:
    """W and b of every layer; its standardisation is not among them. Raises: WeightsError."""
    arrays, network = _arrays(path), SVDNet()
    if len(arrays) != 2 * len(network.layers()):
        raise WeightsError(f"{path}: not an SVDNet: {len(arrays)} arrays, expected {2 * len(network.layers())}")
    pairs = []
    for layer, weight, bias in zip(network.layers(), arrays[::2], arrays[1::2], strict=True):
        pairs += [(layer.weight, _to_torch(weight)), (layer.bias, bias)]
    _assign(pairs, path, "SVDNet")
    return network


def read_upconv(path: Path) -> UpConv:
    """W, β, γ, running mean and inverse standard deviation of every layer; last W and b. Raises: WeightsError."""
    arrays = _arrays(path)
    if len(arrays) != 52 or arrays[10].ndim != 4 or arrays[10].shape[1] % 8 or not arrays[10].size:
        raise WeightsError(f"{path}: not an inverter: {len(arrays)} arrays; 52 are, the 11th of 8, 16, … channels")
    network = UpConv(width=arrays[10].shape[1])
    *inner, last = network.linear_layers()
    pairs = []
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
        found = read_arrays(path)
        missing = [name for name in (f"param{i}" for i in range(len(found))) if name not in found]
        if missing:
            raise ValueError(f"there is no {missing[0]}")
        arrays = [found[f"param{i}"] for i in range(len(found))]
        if any(array.dtype.kind not in "fiu" for array in arrays):
            raise ValueError("some of them hold no numbers")
        return arrays
    except UNREADABLE as error:
        raise WeightsError(
            f"{path}: expected plain arrays param0, param1, … as Lasagne saves them ({error})"
        ) from error


def _assign(pairs: list[tuple[Tensor, np.ndarray]], path: Path, network: str) -> None:
    shapes = [(tuple(target.shape), array.shape) for target, array in pairs]
    if any(expected != found for expected, found in shapes):
        expected, found = next(pair for pair in shapes if pair[0] != pair[1])
        raise WeightsError(f"{path}: not a {network}: an array has shape {found} where {expected} is needed")
    with torch.no_grad():
        for target, array in pairs:
            target.copy_(torch.from_numpy(np.ascontiguousarray(array)))


def _to_torch(weight: np.ndarray) -> np.ndarray:
    return np.flip(weight, FLIP) if weight.ndim == 4 else weight.T
