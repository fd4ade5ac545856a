"""Batch norm over the whole batch, also where processes share it."""

from __future__ import annotations

import torch
from torch import Tensor, distributed, nn
from torch.distributed.nn.functional import all_reduce


class _OverProcesses(nn.Module):
    """In training the statistics are those of the batches of all processes, which are of one size, as if they were one.

    `torch.nn.SyncBatchNorm` does the same, but on GPUs only.
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
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean.flatten(), self.momentum)
            self.running_var.lerp_(variance.flatten() * n / (n - 1), self.momentum)
        scale = torch.rsqrt(variance + self.eps) * self.weight.view_as(variance)
        return (centred * scale + self.bias.view_as(variance)).to(x.dtype)


class BatchNorm1d(_OverProcesses, nn.BatchNorm1d):
    """`torch.nn.BatchNorm1d`, [B, C], over the batches of all processes."""


class BatchNorm2d(_OverProcesses, nn.BatchNorm2d):
    """`torch.nn.BatchNorm2d`, [B, C, h, w], over the batches of all processes."""
