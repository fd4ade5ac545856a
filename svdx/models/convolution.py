"""PyTorch's convolutions, computed the way that is fastest for few channels on a CPU: same weights, same results.

oneDNN wants channels last, twice as fast, and transposed convolutions are slower than the convolutions that they are;
batch norm in training wants channels first, many times as fast, so that each layer hands over channels first.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NONE = 4  # a tap beyond the kernel
TAPS = torch.tensor([[3, 1, NONE], [NONE, 2, 0]])  # of the inputs before, at and after a pixel: even outputs, odd ones


class Conv2d(nn.Conv2d):
    """`torch.nn.Conv2d` with stride 1, [B, C, h, w] → [B, C', h', w']."""

    def forward(self, maps: Tensor) -> Tensor:
        if maps.is_cuda:
            return super().forward(maps)
        return super().forward(_ChannelsLast.apply(maps)).contiguous()


class UpConv2d(nn.ConvTranspose2d):
    """`torch.nn.ConvTranspose2d` with 4x4 kernel, stride 2, padding 1: [B, C, h, w] → [B, C', 2h, 2w].

    Every second row and column of the output hears the same three taps of the input, so a convolution with four times
    the channels, whose maps are then interleaved, is the same (Shi et al., 2016, "Is the deconvolution layer the same
    as a convolutional layer?").
    """

    def __init__(self, n_in: int, n_out: int, bias: bool) -> None:
        super().__init__(n_in, n_out, 4, stride=2, padding=1, bias=bias)

    def forward(self, maps: Tensor) -> Tensor:
        if maps.is_cuda:
            return super().forward(maps)
        taps = F.pad(self.weight, (0, 1, 0, 1))[:, :, TAPS][..., TAPS]  # [C, C', 2, 3, 2, 3]
        kernel = taps.permute(1, 2, 4, 0, 3, 5).reshape(4 * self.out_channels, self.in_channels, 3, 3)
        bias = None if self.bias is None else self.bias.repeat_interleave(4)
        return F.pixel_shuffle(F.conv2d(_ChannelsLast.apply(maps), kernel, bias, padding=1).contiguous(), 2)


class _ChannelsLast(torch.autograd.Function):
    """A copy with channels last, whose gradient has them first, as what goes on with it has."""

    @staticmethod
    def forward(ctx: object, maps: Tensor) -> Tensor:
        return maps.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return gradient.contiguous()
