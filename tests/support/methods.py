"""Captum's methods as explainers, with options for small excerpts, and a small network to explain."""

import pytest
import torch

from svdx.explanation.methods.blocks import KernelShap, Occlusion, Slime
from svdx.explanation.methods.gradients import (
    DeepLift,
    GradientXInput,
    GuidedBackprop,
    IntegratedGradients,
    Saliency,
    SmoothGrad,
)
from svdx.models import SVDNet

METHODS = {  # with options for small excerpts
    Saliency: {},
    GradientXInput: {},
    GuidedBackprop: {},
    DeepLift: {},
    IntegratedGradients: {"steps": 5},
    SmoothGrad: {"samples": 5},
    Occlusion: {"window": [4, 3], "stride": [2, 2]},
    Slime: {"samples": 100},
    KernelShap: {"samples": 100},
}
every_method = pytest.mark.parametrize("kind", METHODS, ids=lambda kind: kind.name)


def scores(kind, classifier, excerpts, **options):
    return kind(classifier, **{**METHODS[kind], **options}).score(excerpts)


def alike(found, expected):
    """Equal up to rounding."""
    return (found - expected).abs().max() < 1e-4 * expected.abs().max()


def small_network():
    """An SVDNet with random weights, and four excerpts of 28 × 28, the third of which is constant in a corner."""
    network = SVDNet(28, 28).eval().requires_grad_(False)
    for weight in network.parameters():
        weight.normal_(0, 0.1 if weight.ndim == 1 else (2 / weight[0].numel()) ** 0.5)
    excerpts = torch.randn(4, 28, 28)
    excerpts[2, :15, :15] = 0
    return network, excerpts
