"""SVDNet's layers as what an inverter begins with: their names, where in the excerpt they hear, and their features."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.models.sequential import sequential
from svdx.models.svdnet import SVDNet


@dataclass(frozen=True)
class Maps:
    """A layer whose features are maps, alike in frames and bands.

    stride: bins of the excerpt between neighbours in a map; field: bins that each hears
    """

    channels: int
    stride: int
    field: int

    def size(self, bins: int) -> int:
        """A map's size for so many bins of the excerpt."""
        return (bins - self.field) // self.stride + 1

    @property
    def first(self) -> int:
        """Where in the excerpt a map begins, each of its elements being `stride` bins in the middle of its field."""
        return (self.field - self.stride) // 2


FC8 = "fc8"  # the last hidden layer, which the paper inverts
VECTORS = {"fc7": 256, FC8: 64}  # units
MAPS = {
    "conv1": Maps(64, 1, 3),
    "conv2": Maps(32, 1, 5),
    "mp3": Maps(32, 3, 7),
    "conv4": Maps(128, 3, 13),
    "conv5": Maps(64, 3, 19),
    "mp6": Maps(64, 9, 25),
}


def features_of(classifier: nn.Module, layer: str, excerpts: Tensor) -> Tensor:
    """What a layer makes of excerpts [B, frames, bands]: [B, units], or [B, channels, frames', bands'] of `MAPS`.

    FC8 is `features` of any classifier; the others are SVDNet's, in eval mode, after the non-linearity.
    Raises: ConfigError.
    """
    if layer == FC8:
        return classifier.features(excerpts)
    return network_up_to(classifier, layer)(excerpts)


def network_up_to(classifier: nn.Module, layer: str) -> nn.Sequential:
    """An SVDNet up to a layer. Raises: ConfigError for another classifier."""
    if not isinstance(classifier, SVDNet):
        raise ConfigError(f"layer={layer}: of a {type(classifier).__name__} only {FC8} is known; {layer} is SVDNet's")
    whole = sequential(classifier)
    return whole[: [name for name, _ in whole.named_children()].index(layer) + 1]
