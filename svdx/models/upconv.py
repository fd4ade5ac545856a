"""The up-convolutional inverter G of the paper's Table I: 64 features of FC8, or 256 of FC7, back to a log-mel."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.models.batchnorm import BatchNorm1d, BatchNorm2d
from svdx.models.convolution import Conv2d, UpConv2d
from svdx.models.inverter import EPSILON, InverterNet
from svdx.models.layers import FC8, VECTORS

SEED_SHAPE = (16, 4, 4)  # what the second dense layer is reshaped to


class UpConv(InverterNet):
    """Inverter network: every layer linear, batch norm, ELU; the last up-convolution has a bias and no batch norm.

    width: channels of the first up-convolution; the others have a half, a quarter, an eighth, and 1.
        16 is the paper's Table I (31 117 trainable parameters), 64 the authors' released program (130 081).
    layer: whose features; fc7 makes the first dense layer wider.

    Batch norm follows PyTorch where the original's Lasagne differs: running statistics average the unbiased variance
    instead of the inverse standard deviation.

    Shape:
        features [B, 64], [B, 256] of fc7 → picture, standardised log-mel [B, frames, bands], greater than -1

    >>> UpConv(16)(torch.zeros(2, 64)).shape
    torch.Size([2, 115, 80])
    """

    def __init__(self, width: int = 16, frames: int = 115, bands: int = 80, layer: Literal["fc7", "fc8"] = FC8) -> None:
        super().__init__(layer, VECTORS[layer], width, frames, bands)
        if width < 8 or width % 8:
            raise ConfigError(f"inverter.width={width}: expected a multiple of 8")
        if max(frames, bands) > 128:
            raise ConfigError(
                f"frontend: the inverter paints 128 frames and bands at most, asked for are {frames} and {bands}"
            )
        n_seed = torch.Size(SEED_SHAPE).numel()
        self.dense = nn.Sequential(
            *_normalised(nn.Linear(self.n_features, 64, bias=False), BatchNorm1d(64, EPSILON)),
            *_normalised(nn.Linear(64, n_seed, bias=False), BatchNorm1d(n_seed, EPSILON)),
        )
        blocks, n_in = [], SEED_SHAPE[0]
        for n_out in (width, width // 2, width // 4, width // 8):
            up, conv = UpConv2d(n_in, n_out, bias=False), Conv2d(n_out, n_out, 3, padding=1, bias=False)
            blocks += [*_normalised(up, BatchNorm2d(n_out, EPSILON))]
            blocks += [*_normalised(conv, BatchNorm2d(n_out, EPSILON))]
            n_in = n_out
        self.picture = nn.Sequential(*blocks, UpConv2d(n_in, 1, bias=True), nn.ELU())
        self.initialise()

    def forward(self, features: Tensor) -> Tensor:
        """features [B, units] → picture [B, frames, bands]."""
        seed = self.dense(features).unflatten(1, SEED_SHAPE)
        maps = self.picture[:-2](seed)
        heard = maps[:, :, : self.frames // 2 + 2, : self.bands // 2 + 2]  # by the part of the picture that is kept
        return self.picture[-2:](heard)[:, 0, : self.frames, : self.bands]


def _normalised(linear: nn.Module, norm: nn.Module) -> tuple[nn.Module, ...]:
    return linear, norm, nn.ELU()
