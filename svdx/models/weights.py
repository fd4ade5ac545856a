"""Weight files: Lightning checkpoints (.ckpt), small exports (.safetensors), the original programs' arrays (.npz).

No code in a file is executed: checkpoints are loaded with `weights_only=True`, arrays without pickle.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import torch
from safetensors.torch import load, save_file
from torch import Tensor, nn

from svdx.errors import ConfigError, WeightsError, expect_file
from svdx.files.archives import UnreadableError, read_checkpoint
from svdx.files.atomic import atomic_write
from svdx.models import lasagne
from svdx.models.inverter import InverterNet
from svdx.models.layers import FC8
from svdx.models.map_inverter import MapInverter
from svdx.models.standardisation import load_standardisation
from svdx.models.svdnet import SVDNet
from svdx.models.upconv import UpConv

CLASSIFIER, INVERTER, FRONTEND = "classifier.safetensors", "inverter.safetensors", "frontend.json"  # file names

Network = TypeVar("Network", SVDNet, InverterNet)

log = logging.getLogger(__name__)

DAMAGED = "it is damaged; export or train it again"


def fingerprint(network: nn.Module, buffers: bool = False) -> str:
    """Sixteen hex digits that identify a network by its parameters.

    buffers: by its buffers (standardisation, threshold, batch-norm statistics) too
    """
    return _digest(network.state_dict() if buffers else dict(network.named_parameters()))


def feature_fingerprint(classifier: nn.Module) -> str:
    """Sixteen hex digits that identify a classifier by all that its features depend on: parameters and
    standardisation, but not the decision threshold."""
    return _digest({name: value for name, value in classifier.state_dict().items() if name != "threshold"})


def _digest(arrays: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(arrays.items()):
        digest.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def describe(network: SVDNet | InverterNet) -> dict[str, str]:
    """The metadata from which a network can be built again, as strings."""
    size = {"frames": str(network.frames), "bands": str(network.bands)}
    if isinstance(network, SVDNet):
        return {"network": "svdnet", **size}
    kind = "upconv" if isinstance(network, UpConv) else "mapinverter"
    layer = {} if network.layer == FC8 else {"layer": network.layer}
    return {"network": kind, **size, "width": str(network.width), "inverts": network.inverts, **layer}


def check_resumed(network: SVDNet | InverterNet, checkpoint: dict[str, Any]) -> None:
    """Raises WeightsError if a checkpoint is of another network, or of an inverter of another classifier."""
    stored, expected = checkpoint.get("svdx"), describe(network)
    if stored != expected:
        raise WeightsError(f"resume=true: the checkpoint holds {stored}, this run trains {expected}")


def save(network: SVDNet | InverterNet, path: str | Path, **metadata: str) -> None:
    """Write a .safetensors file atomically. metadata: of its training, see `training_metadata`. Raises: OSError."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {name: value.detach().cpu().contiguous() for name, value in network.state_dict().items()}
    with atomic_write(path) as temporary:
        try:
            save_file(state, temporary, metadata={**metadata, **describe(network)})
        except safetensors.SafetensorError as error:  # how it reports a full disk
            raise OSError(str(error).splitlines()[0]) from error


def load_classifier(
    path: str | Path,
    standardisation: str | Path | tuple[Tensor, Tensor] | None = None,
    threshold: float | None = None,
) -> SVDNet:
    """Read an SVDNet, in eval mode and frozen.

    path: .safetensors, .ckpt or .npz
    standardisation: .csv (band, mean, std) or .npz (mean, std), or mean and std, [bands] each. An .npz classifier holds
        none, so it needs one.
    threshold: decision threshold in place of the stored one

    Raises: WeightsError, ConfigError.
    """
    path = Path(str(path))
    expect_file(path)
    if path.suffix == ".npz":
        network = lasagne.read_svdnet(path)
        if standardisation is None:
            raise WeightsError(f"{path}: holds no standardisation; give classifier.standardisation=FILE (.csv or .npz)")
        if threshold is None:
            log.warning(
                f"{path} holds no decision threshold: using p > 0.5; the authors used classifier.threshold=0.66"
            )
    else:
        state, description = _read(path)
        _expect_network("svdnet", description, path)
        network = _build(SVDNet, ("frames", "bands"), description, state, path)
    _expect_finite(network, path)
    if standardisation is not None:
        if not isinstance(standardisation, tuple):
            standardisation = load_standardisation(standardisation, network.bands)
        mean, std = standardisation
        network.mean.copy_(mean)
        network.std.copy_(std)
    if not bool((network.std > 0).all()):
        raise WeightsError(f"{path}: holds a standard deviation that is not positive; {DAMAGED}")
    if threshold is not None:
        if not (isinstance(threshold, Real) and not isinstance(threshold, bool) and 0 <= threshold <= 1):
            raise ConfigError(f"classifier.threshold={threshold}: expected a probability")
        network.threshold.fill_(threshold)
    return network.eval().requires_grad_(False)


def load_inverter(path: str | Path, classifier: nn.Module, layer: str | None = None) -> InverterNet:
    """Read the inverter that was trained on `classifier`'s features, in eval mode and frozen.

    path: .safetensors, .ckpt or .npz (which does not name its classifier)
    layer: the layer that it must invert; None: any

    Raises: WeightsError, also for an inverter of another classifier, layer or excerpt size.
    """
    path = Path(str(path))
    expect_file(path)
    network: InverterNet
    if path.suffix == ".npz":
        network = lasagne.read_upconv(path)
    else:
        state, description = _read(path)
        maps = description.get("network") == "mapinverter"
        _expect_network("mapinverter" if maps else "upconv", description, path)
        layer_in_file: Any = description.get("layer", FC8)  # checked by the constructors
        kind: Callable[..., InverterNet] = partial(MapInverter if maps else UpConv, layer=layer_in_file)
        network = _build(kind, ("width", "frames", "bands"), description, state, path)
        network.inverts = description.get("inverts", "")
    _expect_finite(network, path)
    if layer and network.layer != layer:
        raise WeightsError(f"{path}: inverts {network.layer}, not {layer}; layer={network.layer} uses it")
    if network.inverts and network.inverts != fingerprint(classifier):
        raise WeightsError(
            f"{path}: trained to invert classifier {network.inverts}, not this one ({fingerprint(classifier)}); "
            "give the classifier.weights it was trained with, or train an inverter for this classifier"
        )
    made = (network.frames, network.bands)
    expected = (getattr(classifier, "frames", network.frames), getattr(classifier, "bands", network.bands))
    if made != expected:
        raise WeightsError(
            f"{path}: makes {made[0]} frames of {made[1]} bands, the classifier takes {expected[0]} frames of "
            f"{expected[1]} bands; give the inverter that was trained for it"
        )
    return network.eval().requires_grad_(False)


def training_metadata(path: str | Path) -> dict[str, str]:
    """The `recipe` and `updates` that were given to `save`. Empty for a missing file and other kinds of file, and, with
    a warning, for a damaged one."""
    path = Path(path)
    if path.suffix != ".safetensors" or not path.is_file():
        return {}
    try:
        metadata = _read(path)[1]
    except WeightsError as error:
        log.warning(str(error))
        return {}
    return {key: metadata[key] for key in ("recipe", "updates") if key in metadata}


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Arrays and description. Raises: WeightsError."""
    try:
        if path.suffix == ".safetensors":
            # Not `load_file`: where Ctrl-C hits it, torch reports a damaged storage and swallows the KeyboardInterrupt.
            with safetensors.safe_open(path, framework="np") as file:
                metadata = dict(file.metadata() or {})
            return load(path.read_bytes()), metadata
        if path.suffix == ".ckpt":
            return _of_checkpoint(read_checkpoint(path))
    except (UnreadableError, OSError, ValueError, safetensors.SafetensorError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise WeightsError(f"{path}: damaged, or not a weight file of svdx ({reason})") from error
    raise WeightsError(f"{path}: unknown kind of weight file; expected .ckpt, .safetensors or .npz")


def _of_checkpoint(checkpoint: dict[str, Any]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """The network's arrays and description in a checkpoint of `Detector` or `Inverter`. Raises: ValueError."""
    state, description = checkpoint.get("state_dict"), checkpoint.get("svdx", {})
    if not (isinstance(state, dict) and isinstance(description, dict)):
        raise ValueError("it holds no state_dict")
    own = {name: value for name, value in state.items() if isinstance(name, str) and name.startswith("network.")}
    if not all(isinstance(value, Tensor) for value in own.values()):
        raise ValueError("its state_dict holds other things than arrays")
    arrays = {name.removeprefix("network."): value for name, value in own.items()}
    return arrays, {str(key): str(value) for key, value in description.items()}


def _expect_network(expected: str, description: dict[str, str], path: Path) -> None:
    stored = description.get("network", "weights of another program")
    if stored != expected:
        raise WeightsError(f"{path}: holds {stored}, expected {expected}; are classifier and inverter swapped?")


def _build(
    kind: Callable[..., Network],
    keys: tuple[str, ...],
    description: dict[str, str],
    state: dict[str, Tensor],
    path: Path,
) -> Network:
    """Build the described network and load its arrays. Its size is first held against the file's, a byte per weight."""
    try:
        sizes = {key: int(description[key]) for key in keys}
        with torch.device("meta"):
            n_weights = sum(value.numel() for value in kind(**sizes).state_dict().values())
        network = kind(**sizes) if n_weights <= path.stat().st_size else None
    except (KeyError, TypeError, ValueError, RuntimeError, OverflowError, ConfigError) as error:
        raise WeightsError(f"{path}: no network can be built of {description}; {DAMAGED}") from error
    if network is None:
        raise WeightsError(f"{path}: smaller than the network that it describes, {description}; {DAMAGED}")
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(f"{path}: its arrays do not fit the network ({' '.join(str(error).split())})") from error
    return network


def _expect_finite(network: nn.Module, path: Path) -> None:
    if not all(bool(value.isfinite().all()) for value in network.state_dict().values()):
        raise WeightsError(f"{path}: holds weights that are not finite; {DAMAGED}")
