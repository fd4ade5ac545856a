"""Weight files: Lightning checkpoints (.ckpt), small exports (.safetensors), the original programs' arrays (.npz).

Nothing here executes what a file holds: checkpoints are loaded with `weights_only=True`, arrays without pickle.
"""

from __future__ import annotations

import csv
import hashlib
import logging
import os
from numbers import Real
from pathlib import Path

import numpy as np
import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from svdx.errors import ConfigError, WeightsError
from svdx.models.svdnet import SVDNet
from svdx.models.upconv import EPSILON, UpConv

log = logging.getLogger(__name__)

FLIP = (-2, -1)  # Theano convolves, PyTorch correlates: kernels are mirrored in both spatial axes


def fingerprint(network: nn.Module) -> str:
    """Sixteen hex digits that name a network by its weights; standardisation and threshold may be exchanged."""
    digest = hashlib.sha256()
    for name, value in sorted(network.named_parameters()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def describe(network: SVDNet | UpConv) -> dict[str, str]:
    """What a weight file must say beside the weights so that the network can be built again; strings only."""
    size = {"frames": str(network.frames), "bands": str(network.bands)}
    if isinstance(network, SVDNet):
        return {"network": "svdnet", **size}
    return {"network": "upconv", **size, "width": str(network.width), "inverts": network.inverts}


def check_resumed(network: SVDNet | UpConv, checkpoint: dict) -> None:
    """Refuse to go on from a checkpoint of another network, or of the inverter of another classifier."""
    found, expected = checkpoint.get("svdx"), describe(network)
    if found != expected:
        raise WeightsError(f"resume=true: the checkpoint holds {found}, this training is of {expected}")


def save(network: SVDNet | UpConv, path: str | Path) -> None:
    """Write a .safetensors file, whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    save_file(state, unfinished, metadata=describe(network))
    unfinished.replace(path)


def load_classifier(
    path: str | Path,
    standardisation: str | Path | tuple[Tensor, Tensor] | None = None,
    threshold: float | None = None,
) -> SVDNet:
    """Read an SVDNet, in eval mode and frozen.

    standardisation: .csv (band, mean, std) or .npz (mean, std), or mean and std, [bands] each; needed with an .npz
        classifier, which holds none.
    threshold: decision threshold to use instead of the stored one.
    Raises: WeightsError.
    """
    path = Path(path)
    if path.suffix == ".npz":
        network = _svdnet_from_arrays(_npz_arrays(path), path)
        if standardisation is None:
            raise WeightsError(f"{path}: holds no standardisation; give classifier.standardisation=FILE (.csv or .npz)")
        if threshold is None:
            log.warning(
                f"{path} holds no decision threshold: p > 0.5 is used; classifier.threshold=0.66 was the authors'"
            )
    else:
        state, description = _read(path)
        _expect("svdnet", description, path)
        network = SVDNet(int(description["frames"]), int(description["bands"]))
        _fill(network, state, path)
    if standardisation is not None:
        if not isinstance(standardisation, tuple):
            standardisation = load_standardisation(standardisation, network.bands)
        mean, std = standardisation
        network.mean.copy_(mean)
        network.std.copy_(std)
    if threshold is not None:
        if not (isinstance(threshold, Real) and 0 <= threshold <= 1):
            raise ConfigError(f"classifier.threshold={threshold}: expected a probability")
        network.threshold.fill_(threshold)
    return network.eval().requires_grad_(False)


def load_inverter(path: str | Path, classifier: nn.Module) -> UpConv:
    """Read the inverter that was trained on `classifier`'s features, in eval mode and frozen.

    Raises: WeightsError, also where the file says that it inverts another classifier (.npz files do not say).
    """
    path = Path(path)
    if path.suffix == ".npz":
        network = _upconv_from_arrays(_npz_arrays(path), path)
    else:
        state, description = _read(path)
        _expect("upconv", description, path)
        network = UpConv(int(description["width"]), int(description["frames"]), int(description["bands"]))
        network.inverts = description["inverts"]
        _fill(network, state, path)
    if network.inverts and network.inverts != fingerprint(classifier):
        raise WeightsError(
            f"{path}: trained to invert classifier {network.inverts}, not this one ({fingerprint(classifier)}); "
            "give the classifier.weights it was trained with, or train an inverter for this classifier"
        )
    return network.eval().requires_grad_(False)


def is_inverter_of(classifier: nn.Module, path: Path) -> bool:
    """Is there an exported inverter of this very classifier at `path`?"""
    return path.is_file() and _read(path)[1].get("inverts") == fingerprint(classifier)


def load_standardisation(path: str | Path, n_bands: int) -> tuple[Tensor, Tensor]:
    """Read per-band mean and standard deviation, [n_bands] float32 each, from .csv (band, mean, std) or .npz."""
    path = Path(path)
    _expect_file(path)
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                mean, std = arrays["mean"], arrays["std"]
        else:
            rows = list(csv.DictReader(path.read_text().splitlines()))
            mean, std = (np.array([float(row[key]) for row in rows]) for key in ("mean", "std"))
    except Exception as error:  # numpy, zipfile and zlib raise a dozen kinds for a damaged file
        raise WeightsError(f"{path}: not a standardisation; expected mean and std for every band ({error})") from error
    if mean.shape != (n_bands,) or std.shape != (n_bands,) or not (np.isfinite(mean).all() and (std > 0).all()):
        raise WeightsError(f"{path}: expected {n_bands} finite means and {n_bands} positive standard deviations")
    return torch.from_numpy(mean.astype(np.float32)), torch.from_numpy(std.astype(np.float32))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    _expect_file(path)
    try:
        if path.suffix == ".safetensors":
            with safetensors.safe_open(path, framework="pt") as file:
                return load_file(path), dict(file.metadata() or {})
        if path.suffix == ".ckpt":
            checkpoint = torch.load(path, map_location="cpu", weights_only=True)
            state = {
                name.removeprefix("network."): value
                for name, value in checkpoint["state_dict"].items()
                if name.startswith("network.")
            }
            return state, checkpoint.get("svdx", {})
    except Exception as error:  # torch and safetensors raise a dozen kinds for a damaged or foreign file
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{path}: damaged, or not a weight file of svdx ({reason})") from error
    raise WeightsError(f"{path}: unknown kind of weight file; expected .ckpt, .safetensors or .npz")


def _expect_file(path: Path) -> None:
    if not path.is_file():
        raise WeightsError(f"{path}: no such file")


def _expect(network: str, description: dict[str, str], path: Path) -> None:
    found = description.get("network", "weights of another program")
    if found != network:
        raise WeightsError(f"{path}: holds {found}, expected {network}; are classifier and inverter swapped?")


def _fill(network: nn.Module, state: dict[str, Tensor], path: Path) -> None:
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path}: its arrays do not fit the network ({' '.join(str(error).split())})") from error


def _npz_arrays(path: Path) -> list[np.ndarray]:
    _expect_file(path)
    try:
        with np.load(path, allow_pickle=False) as file:
            return [file[f"param{i}"] for i in range(len(file.files))]
    except Exception as error:  # numpy, zipfile and zlib raise as many kinds as torch does
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


def _svdnet_from_arrays(arrays: list[np.ndarray], path: Path) -> SVDNet:
    network = SVDNet()
    if len(arrays) != 2 * len(network.layers()):
        raise WeightsError(f"{path}: not an SVDNet: {len(arrays)} arrays, expected {2 * len(network.layers())}")
    pairs = []
    for layer, weight, bias in zip(network.layers(), arrays[::2], arrays[1::2], strict=True):
        pairs += [(layer.weight, _to_torch(weight)), (layer.bias, bias)]
    _assign(pairs, path, "SVDNet")
    return network


def _upconv_from_arrays(arrays: list[np.ndarray], path: Path) -> UpConv:
    if len(arrays) != 52 or arrays[10].ndim != 4 or arrays[10].shape[1] % 8:
        raise WeightsError(f"{path}: not an inverter: {len(arrays)} arrays, expected 52, the 11th an up-convolution")
    network = UpConv(width=arrays[10].shape[1])
    *inner, last = network.linear_layers()
    pairs = []
    for i, (layer, norm) in enumerate(zip(inner, network.norm_layers(), strict=True)):
        weight, beta, gamma, mean, inverse_std = arrays[5 * i : 5 * i + 5]
        pairs += [(layer.weight, _to_torch(weight)), (norm.bias, beta), (norm.weight, gamma)]
        pairs += [(norm.running_mean, mean), (norm.running_var, 1 / inverse_std**2 - EPSILON)]
    pairs += [(last.weight, _to_torch(arrays[-2])), (last.bias, arrays[-1])]
    _assign(pairs, path, "inverter of Table I's layers")
    return network
