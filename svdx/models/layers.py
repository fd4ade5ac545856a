"""SVDNet's layers by name: as modules, as features to invert, and where in the excerpt they look."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.models.svdnet import LEAK, SVDNet

LEAKY = partial(nn.LeakyReLU, LEAK)


@dataclass(frozen=True)
class Maps:
    """Geometry of a layer whose features are maps, the same along frames and bands.

    stride: distance in bins of the excerpt between neighbouring elements
    field: size in bins of an element's receptive field
    """

    channels: int
    stride: int
    field: int

    def size(self, bins: int) -> int:
        """Size of a map along an axis on which the excerpt has `bins` bins."""
        return (bins - self.field) // self.stride + 1

    @property
    def first(self) -> int:
        """The bin at which a map begins if each element stands for the `stride` bins in the middle of its field."""
        return (self.field - self.stride) // 2


FC8: Final = "fc8"  # the last hidden layer, which the paper inverts
VECTORS = {"fc7": 256, FC8: 64}  # units
MAPS = {
    "conv1": Maps(64, 1, 3),
    "conv2": Maps(32, 1, 5),
    "mp3": Maps(32, 3, 7),
    "conv4": Maps(128, 3, 13),
    "conv5": Maps(64, 3, 19),
    "mp6": Maps(64, 9, 25),
}


def sequential(network: SVDNet, rectifier: Callable[[], nn.Module] = LEAKY) -> nn.Sequential:
    """An SVDNet in eval mode as nn.Sequential that shares its layers: excerpts [B, frames, bands] → log-odds [B].

    Its children are conv1, conv2, mp3, conv4, conv5, mp6, fc7, fc8 and fc9, each followed by its non-linearity. As in
    the original, the non-linearity precedes the pooling, so results equal `SVDNet.logits` to 1e-5.

    rectifier: returns a new non-linearity
    """

    def part(*layers: nn.Module) -> nn.Sequential:
        return nn.Sequential(*layers, rectifier())

    return nn.Sequential(
        OrderedDict(
            conv1=part(nn.Unflatten(1, (1, network.frames)), network.conv1),
            conv2=part(network.conv2),
            mp3=nn.MaxPool2d(3),
            conv4=part(network.conv4),
            conv5=part(network.conv5),
            mp6=nn.MaxPool2d(3),
            fc7=part(nn.Flatten(), network.fc7),
            fc8=part(network.fc8),
            fc9=nn.Sequential(network.fc9, nn.Flatten(0)),
        )
    )


def network_up_to(classifier: nn.Module, layer: str) -> nn.Sequential:
    """The children of `sequential` up to and including a layer. Raises: ConfigError unless the classifier is an
    SVDNet."""
    if not isinstance(classifier, SVDNet):
        raise ConfigError(f"layer={layer}: a {type(classifier).__name__} has only {FC8}; {layer} is a layer of SVDNet")
    parts = list(sequential(classifier).named_children())
    return nn.Sequential(OrderedDict(parts[: [name for name, _ in parts].index(layer) + 1]))


def features_of(classifier: nn.Module, layer: str, excerpts: Tensor) -> Tensor:
    """A layer's output after its non-linearity, dropout off, for standardised excerpts [B, frames, bands].

    FC8 is `classifier.features`; other layers exist in SVDNet only.

    Returns: [B, units] for `VECTORS`, [B, channels, frames', bands'] for `MAPS`
    Raises: ConfigError.
    """
    if layer == FC8:
        return classifier.features(excerpts)  # type: ignore[operator]  # PyTorch's types: Tensor or Module
    return network_up_to(classifier, layer)(excerpts)
