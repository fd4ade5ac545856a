"""The up-convolutional inverter G of the paper's Table I: 64 FC8 features back to a log-mel picture."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.models.batchnorm import BatchNorm1d, BatchNorm2d
from svdx.models.convolution import Conv2d, UpConv2d

EPSILON = 1e-4  # Lasagne's default for batch normalisation
SEED_SHAPE = (16, 4, 4)  # what the second dense layer is reshaped to


class UpConv(nn.Module):
    """Inverter network: every layer linear, batch norm, ELU; the last up-convolution has a bias and no batch norm.

    width: channels of the first up-convolution; the others have a half, a quarter, an eighth, and 1.
        16 is the paper's Table I (31 117 trainable parameters), 64 the authors' released program (130 081).
    inverts: fingerprint of the classifier whose features it was trained on; empty where unknown.

    Batch norm follows PyTorch where the original's Lasagne differs: running statistics average the unbiased variance
    instead of the inverse standard deviation.

    Shape:
        features [B, 64] → picture, standardised log-mel [B, frames, bands], greater than -1

    >>> UpConv(16)(torch.zeros(2, 64)).shape
    torch.Size([2, 115, 80])
    """

    def __init__(self, width: int = 16, frames: int = 115, bands: int = 80) -> None:
        super().__init__()
        if width < 8 or width % 8:
            raise ConfigError(f"inverter.width={width}: expected a multiple of 8")
        if max(frames, bands) > 128:
            raise ConfigError(
                f"frontend: the inverter paints 128 frames and bands at most, asked for are {frames} and {bands}"
            )
        self.width, self.frames, self.bands, self.inverts = width, frames, bands, ""
        n_seed = torch.Size(SEED_SHAPE).numel()
        self.dense = nn.Sequential(
            *_normalised(nn.Linear(64, 64, bias=False), BatchNorm1d(64, EPSILON)),
            *_normalised(nn.Linear(64, n_seed, bias=False), BatchNorm1d(n_seed, EPSILON)),
        )
        blocks, n_in = [], SEED_SHAPE[0]
        for n_out in (width, width // 2, width // 4, width // 8):
            up, conv = UpConv2d(n_in, n_out, bias=False), Conv2d(n_out, n_out, 3, padding=1, bias=False)
            blocks += [*_normalised(up, BatchNorm2d(n_out, EPSILON))]
            blocks += [*_normalised(conv, BatchNorm2d(n_out, EPSILON))]
            n_in = n_out
        self.picture = nn.Sequential(*blocks, UpConv2d(n_in, 1, bias=True), nn.ELU())
        for layer in self.linear_layers():
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")  # Lasagne's HeNormal has gain 1
        nn.init.zeros_(self.linear_layers()[-1].bias)

    def linear_layers(self) -> list[nn.Module]:
        """Dense layers, up-convolutions and convolutions, from input to output."""
        return [layer for layer in self.modules() if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]

    def norm_layers(self) -> list[nn.Module]:
        """The batch norms, one to each linear layer but the last."""
        return [layer for layer in self.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]

    def l2(self) -> Tensor:
        """Σ w² over the weights and the batch-norm scales γ, not over biases and β: the penalty of the original."""
        penalised = [layer.weight.flatten() for layer in self.linear_layers() + self.norm_layers()]
        return torch.cat(penalised).square().sum()

    def forward(self, features: Tensor) -> Tensor:
        """features [B, 64] → picture [B, frames, bands]."""
        seed = self.dense(features).unflatten(1, SEED_SHAPE)
        maps = self.picture[:-2](seed)
        heard = maps[:, :, : self.frames // 2 + 2, : self.bands // 2 + 2]  # by the part of the picture that is kept
        return self.picture[-2:](heard)[:, 0, : self.frames, : self.bands]


def _normalised(linear: nn.Module, norm: nn.Module) -> tuple[nn.Module, ...]:
    return linear, norm, nn.ELU()
