"""Convolutions in another form than PyTorch's: the same numbers, the same gradients."""

import pytest
import torch
from torch import nn

from svdx.models.convolution import Conv2d, UpConv2d

PAIRS = {
    "up": (UpConv2d(3, 5, bias=False), nn.ConvTranspose2d(3, 5, 4, stride=2, padding=1, bias=False)),
    "up to one, with a bias": (UpConv2d(2, 1, bias=True), nn.ConvTranspose2d(2, 1, 4, stride=2, padding=1)),
    "same size": (Conv2d(4, 6, 3, padding=1, bias=False), nn.Conv2d(4, 6, 3, padding=1, bias=False)),
}


@pytest.mark.parametrize("ours, theirs", PAIRS.values(), ids=PAIRS)
@pytest.mark.parametrize("size", [(4, 4), (7, 5)])
def test_results_and_gradients_are_those_of_pytorch(ours, theirs, size):
    ours.load_state_dict(theirs.state_dict())
    maps = torch.randn(2, theirs.in_channels, *size, dtype=torch.float64)
    results = []
    for layer in (ours.double(), theirs.double()):
        layer.zero_grad()
        seen = maps.clone().requires_grad_()
        out = layer(seen)
        (out * torch.arange(out.numel()).view_as(out).sin()).sum().backward()
        assert out.is_contiguous() and seen.grad.is_contiguous()
        results.append((out, seen.grad, *(parameter.grad for parameter in layer.parameters())))
    for mine, expected in zip(*results, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-12, rtol=1e-12)
