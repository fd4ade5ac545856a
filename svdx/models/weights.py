"""Weight files: Lightning checkpoints (.ckpt), small exports (.safetensors), the original programs' arrays (.npz).

Nothing here executes what a file holds: checkpoints are loaded with `weights_only=True`, arrays without pickle.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import partial
from numbers import Real
from pathlib import Path

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from svdx.errors import ConfigError, WeightsError, expect_file
from svdx.files.atomic import atomic_write
from svdx.files.containers import UNREADABLE, read_checkpoint
from svdx.models import lasagne
from svdx.models.inverter import InverterNet
from svdx.models.layers import FC8
from svdx.models.map_inverter import MapInverter
from svdx.models.standardisation import load_standardisation
from svdx.models.svdnet import SVDNet
from svdx.models.upconv import UpConv

log = logging.getLogger(__name__)

DAMAGED = "it is damaged; export or train it again"


def fingerprint(network: nn.Module, buffers: bool = False) -> str:
    """Sixteen hex digits that name a network by its weights; standardisation and threshold may be exchanged.

    buffers: by its buffers (standardisation, threshold) too
    """
    return _digest(network.state_dict() if buffers else dict(network.named_parameters()))


def feature_fingerprint(classifier: nn.Module) -> str:
    """Sixteen hex digits that name a classifier by all that its features depend on: its weights and what it
    standardises its input by, not its decision threshold."""
    return _digest({name: value for name, value in classifier.state_dict().items() if name != "threshold"})


def _digest(arrays: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(arrays.items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def describe(network: SVDNet | InverterNet) -> dict[str, str]:
    """What a weight file must say beside the weights so that the network can be built again; strings only."""
    size = {"frames": str(network.frames), "bands": str(network.bands)}
    if isinstance(network, SVDNet):
        return {"network": "svdnet", **size}
    kind = "upconv" if isinstance(network, UpConv) else "mapinverter"
    layer = {} if network.layer == FC8 else {"layer": network.layer}
    return {"network": kind, **size, "width": str(network.width), "inverts": network.inverts, **layer}


def check_resumed(network: SVDNet | InverterNet, checkpoint: dict) -> None:
    """Refuse to go on from a checkpoint of another network, or of the inverter of another classifier."""
    found, expected = checkpoint.get("svdx"), describe(network)
    if found != expected:
        raise WeightsError(f"resume=true: the checkpoint holds {found}, this training is of {expected}")


def save(network: SVDNet | InverterNet, path: str | Path, **said: str) -> None:
    """Write a .safetensors file atomically. said: read back by `training_metadata`. Raises: OSError."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_write(path) as unfinished:
        try:
            save_file(state, unfinished, metadata={**said, **describe(network)})
        except safetensors.SafetensorError as error:  # its writer, of a full disk
            raise OSError(str(error).splitlines()[0]) from error


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
    path = Path(str(path))
    expect_file(path)
    if path.suffix == ".npz":
        network = lasagne.read_svdnet(path)
        if standardisation is None:
            raise WeightsError(f"{path}: holds no standardisation; give classifier.standardisation=FILE (.csv or .npz)")
        if threshold is None:
            log.warning(
                f"{path} holds no decision threshold: p > 0.5 is used; classifier.threshold=0.66 was the authors'"
            )
    else:
        state, description = _read(path)
        _expect("svdnet", description, path)
        network = _build(SVDNet, ("frames", "bands"), description, state, path)
    _expect_finite(network, path)
    if standardisation is not None:
        if not isinstance(standardisation, tuple):
            standardisation = load_standardisation(standardisation, network.bands)
        mean, std = standardisation
        network.mean.copy_(mean)
        network.std.copy_(std)
    if not (network.std > 0).all():
        raise WeightsError(f"{path}: holds a standard deviation that is not positive; {DAMAGED}")
    if threshold is not None:
        if not (isinstance(threshold, Real) and not isinstance(threshold, bool) and 0 <= threshold <= 1):
            raise ConfigError(f"classifier.threshold={threshold}: expected a probability")
        network.threshold.fill_(threshold)
    return network.eval().requires_grad_(False)


def load_inverter(path: str | Path, classifier: nn.Module, layer: str | None = None) -> InverterNet:
    """Read the inverter that was trained on `classifier`'s features, in eval mode and frozen.

    layer: which it must invert; None: whichever it does
    Raises: WeightsError, also where the file says that it inverts another classifier (.npz files do not say), or where
    its pictures have another size than the excerpts of the classifier.
    """
    path = Path(str(path))
    expect_file(path)
    if path.suffix == ".npz":
        network = lasagne.read_upconv(path)
    else:
        state, description = _read(path)
        kind = MapInverter if description.get("network") == "mapinverter" else UpConv
        _expect("mapinverter" if kind is MapInverter else "upconv", description, path)
        of_layer = partial(kind, layer=description.get("layer", FC8))
        network = _build(of_layer, ("width", "frames", "bands"), description, state, path)
        network.inverts = description.get("inverts", "")
    _expect_finite(network, path)
    if layer and network.layer != layer:
        raise WeightsError(f"{path}: inverts {network.layer}, not {layer}; layer={network.layer} uses it")
    if network.inverts and network.inverts != fingerprint(classifier):
        raise WeightsError(
            f"{path}: trained to invert classifier {network.inverts}, not this one ({fingerprint(classifier)}); "
            "give the classifier.weights it was trained with, or train an inverter for this classifier"
        )
    painted = (network.frames, network.bands)
    heard = (getattr(classifier, "frames", network.frames), getattr(classifier, "bands", network.bands))
    if painted != heard:
        raise WeightsError(
            f"{path}: paints {_size(painted)}, the classifier hears {_size(heard)}; give its own inverter"
        )
    return network.eval().requires_grad_(False)


def training_metadata(path: str | Path) -> dict[str, str]:
    """What `save` was told of the training; nothing of files of other kinds and of one that is not there, and nothing
    with a warning where it is damaged."""
    path = Path(path)
    if path.suffix != ".safetensors" or not path.is_file():
        return {}
    try:
        said = _read(path)[1]
    except WeightsError as error:
        log.warning(str(error))
        return {}
    return {key: said[key] for key in ("recipe", "updates") if key in said}


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        if path.suffix == ".safetensors":
            with safetensors.safe_open(path, framework="pt") as file:
                return load_file(path), dict(file.metadata() or {})
        if path.suffix == ".ckpt":
            return _of_checkpoint(read_checkpoint(path))
    except (*UNREADABLE, safetensors.SafetensorError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{path}: damaged, or not a weight file of svdx ({reason})") from error
    raise WeightsError(f"{path}: unknown kind of weight file; expected .ckpt, .safetensors or .npz")


def _of_checkpoint(checkpoint: dict) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The network's arrays and what a checkpoint of `Detector` or `Inverter` says of it. Raises: ValueError."""
    found, said = checkpoint.get("state_dict"), checkpoint.get("svdx", {})
    if not (isinstance(found, dict) and isinstance(said, dict)):
        raise ValueError("it holds no state_dict")
    own = {name: value for name, value in found.items() if isinstance(name, str) and name.startswith("network.")}
    if not all(isinstance(value, Tensor) for value in own.values()):
        raise ValueError("its state_dict holds other things than arrays")
    state = {name.removeprefix("network."): value for name, value in own.items()}
    return state, {str(key): str(value) for key, value in said.items()}


def _expect(network: str, description: dict[str, str], path: Path) -> None:
    found = description.get("network", "weights of another program")
    if found != network:
        raise WeightsError(f"{path}: holds {found}, expected {network}; are classifier and inverter swapped?")


def _build(
    kind: Callable[..., nn.Module],
    keys: tuple[str, ...],
    description: dict[str, str],
    state: dict[str, Tensor],
    path: Path,
) -> nn.Module:
    """The network that a file describes, with its arrays. It takes memory only if the file can hold its weights."""
    try:
        sizes = {key: int(description[key]) for key in keys}
        with torch.device("meta"):
            expected = kind(**sizes).state_dict()
        fits = sum(value.numel() for value in expected.values()) <= path.stat().st_size  # a byte each at least
        network = kind(**sizes) if fits else None
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError, ConfigError) as error:
        raise WeightsError(f"{path}: no network can be built of {description}; {DAMAGED}") from error
    if network is None:
        raise WeightsError(f"{path}: smaller than the network that it says it holds, {description}; {DAMAGED}")
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path}: its arrays do not fit the network ({' '.join(str(error).split())})") from error
    return network


def _size(size: tuple[int, int]) -> str:
    return "{} frames of {} bands".format(*size)


def _expect_finite(network: nn.Module, path: Path) -> None:
    if not all(value.isfinite().all() for value in network.state_dict().values()):
        raise WeightsError(f"{path}: holds weights that are not finite; {DAMAGED}")
