"""Base class of the inverter networks, and batch norm over the batches of all processes."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce

EPSILON = 1e-4  # Lasagne's default for batch normalisation


class InverterNet(nn.Module):
    """A network from the features of a classifier's layer to a standardised log-mel [B, frames, bands].

    layer: name of the layer, see `svdx.models.layers`
    n_features: size of that layer's output for one excerpt
    width: number of channels
    inverts: fingerprint of the classifier on whose features it was trained; empty if unknown
    """

    def __init__(self, layer: str, n_features: int, width: int, frames: int, bands: int) -> None:
        super().__init__()
        self.layer, self.n_features, self.width = layer, n_features, width
        self.frames, self.bands, self.inverts = frames, bands, ""

    def initialise(self) -> None:
        """Draw He-normal weights as Lasagne does; biases are 0."""
        for layer in self.linear_layers():
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")  # Lasagne's HeNormal has gain 1
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def linear_layers(self) -> list[nn.Linear | nn.Conv2d | nn.ConvTranspose2d]:
        """Dense layers, up-convolutions and convolutions, from input to output."""
        return [layer for layer in self.modules() if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]

    def norm_layers(self) -> list[nn.BatchNorm1d | nn.BatchNorm2d]:
        """The batch norms, one for each linear layer but the last."""
        return [layer for layer in self.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]

    def l2(self) -> Tensor:
        """Σ w² over the weights and the batch-norm scales γ, not over biases and shifts β, as in the original."""
        penalised = [layer.weight.flatten() for layer in (*self.linear_layers(), *self.norm_layers())]
        return torch.cat(penalised).square().sum()


class _OverProcesses(nn.modules.batchnorm._BatchNorm):
    """In training, normalises by the statistics of the equally large batches of all processes, as if they were one.

    `torch.nn.SyncBatchNorm` does the same on GPUs; on CPUs it raises an error.
    """

    def forward(self, x: Tensor) -> Tensor:
        world = distributed.get_world_size() if distributed.is_initialized() else 1
        if world == 1 or not self.training:
            return super().forward(x)
        axes, n = [0, *range(2, x.ndim)], world * x.numel() / x.shape[1]
        precise = x.float()
        mean = all_reduce(precise.sum(axes, keepdim=True)) / n
        centred = precise - mean
        variance = all_reduce(centred.square().sum(axes, keepdim=True)) / n
        with torch.no_grad():
            assert self.momentum is not None
            self.get_buffer("num_batches_tracked").add_(1)
            self.get_buffer("running_mean").lerp_(mean.flatten(), self.momentum)
            self.get_buffer("running_var").lerp_(variance.flatten() * n / (n - 1), self.momentum)
        scale = torch.rsqrt(variance + self.eps) * self.weight.view_as(variance)
        return (centred * scale + self.bias.view_as(variance)).to(x.dtype)


class BatchNorm1d(_OverProcesses, nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d`, [B, C], over the batches of all processes."""


class BatchNorm2d(_OverProcesses, nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, [B, C, h, w], over the batches of all processes."""
