"""The up-convolutional inverter G of the paper's Table I: 64 features of FC8, or 256 of FC7, back to a log-mel."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from svdx.models.inverter import EPSILON, BatchNorm1d, BatchNorm2d, InverterNet
from svdx.models.layers import FC8, VECTORS
from svdx.schema.checks import checked

Size = Annotated[int, Field(ge=1, le=128)]  # frames and bands; the output is at most 128 × 128
Width = Annotated[int, Field(ge=8, multiple_of=8)]  # halved three times
SEED_SHAPE = (16, 4, 4)  # of the second dense layer's output


@checked
class UpConv(InverterNet):
    """Inverter network of linear layers, each followed by batch norm and ELU. The last has a bias and no batch norm.

    width: channels of the first up-convolution; the others have width / 2, width / 4, width / 8, and 1.
        16 is the paper's Table I (31 117 trainable parameters), 64 the authors' released program (130 081).
    layer: the layer to invert; the first dense layer takes its number of features.

    Running statistics follow PyTorch: they average the unbiased variance, where Lasagne averages the inverse standard
    deviation.

    Shape:
        features [B, 64], or [B, 256] for fc7 → standardised log-mel [B, frames, bands], greater than -1

    >>> UpConv(16)(torch.zeros(2, 64)).shape
    torch.Size([2, 115, 80])
    """

    def __init__(
        self, width: Width = 16, frames: Size = 115, bands: Size = 80, layer: Literal["fc7", "fc8"] = FC8
    ) -> None:
        super().__init__(layer, VECTORS[layer], width, frames, bands)
        n_seed = torch.Size(SEED_SHAPE).numel()
        self.dense = nn.Sequential(
            *_normalised(nn.Linear(self.n_features, 64, bias=False), BatchNorm1d(64, EPSILON)),
            *_normalised(nn.Linear(64, n_seed, bias=False), BatchNorm1d(n_seed, EPSILON)),
        )
        blocks: list[nn.Module] = []
        n_in = SEED_SHAPE[0]
        for n_out in (width, width // 2, width // 4, width // 8):
            blocks += _normalised(_doubling(n_in, n_out, bias=False), BatchNorm2d(n_out, EPSILON))
            blocks += _normalised(nn.Conv2d(n_out, n_out, 3, padding=1, bias=False), BatchNorm2d(n_out, EPSILON))
            n_in = n_out
        self.picture = nn.Sequential(*blocks, _doubling(n_in, 1, bias=True), nn.ELU())
        self.initialise()

    def forward(self, features: Tensor) -> Tensor:
        """features [B, units] → standardised log-mel [B, frames, bands]."""
        seed = self.dense(features).unflatten(1, SEED_SHAPE)
        maps = self.picture[:-2](seed)
        needed = maps[:, :, : self.frames // 2 + 2, : self.bands // 2 + 2]  # for the part that the crop keeps
        return self.picture[-2:](needed)[:, 0, : self.frames, : self.bands]


def _doubling(n_in: int, n_out: int, bias: bool) -> nn.ConvTranspose2d:
    """4×4 up-convolution with stride 2, cropped by 1: [B, n_in, h, w] → [B, n_out, 2h, 2w]."""
    return nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1, bias=bias)


def _normalised(linear: nn.Module, norm: nn.Module) -> tuple[nn.Module, ...]:
    return linear, norm, nn.ELU()
