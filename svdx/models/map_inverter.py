"""Convolutional inverter of the layers whose features are maps (conv1 … mp6)."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F

from svdx.models.inverter import EPSILON, BatchNorm2d, InverterNet
from svdx.models.layers import MAPS, Maps
from svdx.schema.checks import checked
from svdx.schema.types import PositiveInt

STEP = 3  # size and stride of SVDNet's poolings


@checked
class MapInverter(InverterNet):
    """Inverter network of conv1 … mp6: a 3×3 convolution; for each pooling to undo, an enlargement by 3 and a 3×3
    convolution; and a 3×3 convolution to one map.

    Batch norm and ELU follow each of them but the last, which has a bias and a linear output: the ELU at the end of
    `UpConv` allows no value below -1, one standard deviation below the mean. An enlargement is a 1×1 convolution and a
    pixel shuffle, so that each element of a map determines its own 3×3 elements and features stay in their place.

    layer: the layer to invert
    width: channels at the excerpt's resolution, twice as many before each enlargement

    Shape:
        features [B, channels, frames', bands'] of the layer → standardised log-mel [B, frames, bands]

    >>> import torch
    >>> MapInverter("mp6")(torch.zeros(2, 64, 11, 7)).shape
    torch.Size([2, 115, 80])
    """

    def __init__(
        self,
        layer: Literal["conv1", "conv2", "mp3", "conv4", "conv5", "mp6"],
        width: PositiveInt = 16,
        frames: int = 115,
        bands: int = 80,
    ) -> None:
        maps = MAPS[layer]
        super().__init__(layer, maps.channels * maps.size(frames) * maps.size(bands), width, frames, bands)
        (top, bottom, self.top), (left, right, self.left) = (_margins(maps, bins) for bins in (frames, bands))
        self.margins = (left, right, top, bottom)
        poolings = {1: 0, STEP: 1, STEP**2: 2}[maps.stride]
        n = width * 2**poolings
        blocks = list(_normalised(n, _convolution(maps.channels, n)))
        for _ in range(poolings):
            n //= 2
            blocks += _normalised(n, nn.Conv2d(2 * n, STEP**2 * n, 1, bias=False), nn.PixelShuffle(STEP))
            blocks += _normalised(n, _convolution(n, n))
        self.picture = nn.Sequential(*blocks, nn.Conv2d(n, 1, 3, padding=1))
        self.initialise()

    def forward(self, features: Tensor) -> Tensor:
        """features [B, channels, frames', bands'] → standardised log-mel [B, frames, bands]."""
        logmel = self.picture(F.pad(features, self.margins))[:, 0]
        return logmel[:, self.top : self.top + self.frames, self.left : self.left + self.bands]


def _margins(maps: Maps, bins: int) -> tuple[int, int, int]:
    """(elements to add before a map, elements to add after it, bins to cut off in front), so that it covers `bins`."""
    before = -(-maps.first // maps.stride)
    surplus = before * maps.stride - maps.first
    needed = -(-(bins + surplus) // maps.stride)
    return before, needed - before - maps.size(bins), surplus


def _convolution(n_in: int, n_out: int) -> nn.Conv2d:
    return nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)


def _normalised(channels: int, *linear: nn.Module) -> tuple[nn.Module, ...]:
    return *linear, BatchNorm2d(channels, EPSILON), nn.ELU()
