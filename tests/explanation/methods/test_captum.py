"""Explainers against direct calls of Captum, and against results calculated by hand."""

import captum.attr
import pytest
import torch
from captum._utils.models.linear_model import SkLearnRidge
from torch import nn

from svdx.explanation.methods.blocks import KernelShap, Occlusion, Slime, block_numbers, proximity, shown_blocks
from svdx.explanation.methods.gradients import (
    DeepLift,
    GradientXInput,
    GuidedBackprop,
    IntegratedGradients,
    LeakyRectifier,
    Saliency,
    SmoothGrad,
    with_rectifiers,
)
from svdx.explanation.seeding import excerpt_seed
from svdx.models.layers import sequential
from tests.support.methods import alike, every_method, scores, small_network
from tests.support.toys import Planted, planted_excerpts

PLANTED, _ = planted_excerpts(3)


class Columns(nn.Module):
    """Log-odds of both classes, as Captum expects them."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, excerpts):
        singing = getattr(self.network, "logits", self.network)(excerpts)
        return torch.stack([-singing, singing], 1)


def directly(kind, classifier, excerpt, label):
    """Captum's result for one excerpt [1, frames, bands] with the options of METHODS, written out."""
    model, of = Columns(classifier), {"target": label}
    grid = block_numbers(*excerpt.shape[1:], 6, 4)[None]
    torch.manual_seed(excerpt_seed(excerpt[0], 0))
    if kind is Saliency:
        return captum.attr.Saliency(model).attribute(excerpt, **of)
    if kind is GradientXInput:
        return captum.attr.InputXGradient(model).attribute(excerpt, **of)
    if kind is IntegratedGradients:
        return captum.attr.IntegratedGradients(model).attribute(excerpt, n_steps=5, **of)
    if kind is SmoothGrad:
        deviation = 0.15 * float(excerpt.detach().max() - excerpt.detach().min())
        noise = captum.attr.NoiseTunnel(captum.attr.Saliency(model))
        return noise.attribute(excerpt, nt_samples=5, stdevs=deviation, abs=False, **of).abs()
    if kind is Occlusion:
        return captum.attr.Occlusion(model).attribute(excerpt, (4, 3), (2, 2), **of)
    if kind is KernelShap:
        return captum.attr.KernelShap(model).attribute(excerpt, feature_mask=grid, n_samples=100, **of)
    if kind is Slime:
        lime = captum.attr.Lime(model, SkLearnRidge(alpha=1), lambda *a, **k: proximity(a[2], 0.25), shown_blocks)
        return lime.attribute(excerpt, feature_mask=grid, n_samples=100, **of)
    rectifier = LeakyRectifier if kind is GuidedBackprop else lambda: nn.LeakyReLU(0.01)
    model = Columns(sequential(classifier, rectifier) if hasattr(classifier, "conv1") else classifier)
    if kind is GuidedBackprop:
        return captum.attr.GuidedBackprop(model).attribute(excerpt, **of).abs()
    return captum.attr.DeepLift(model).attribute(excerpt, **of)


@every_method
@pytest.mark.parametrize("toy", [True, False])
def test_scores_equal_captums_result_with_the_same_arguments(kind, toy):
    classifier, excerpts = (Planted().requires_grad_(False), PLANTED) if toy else small_network()
    found = scores(kind, classifier, excerpts)
    for excerpt, score in zip(excerpts[:, None].clone(), found, strict=True):
        label = int(classifier(excerpt) > 0.5)
        assert alike(score, directly(kind, classifier, excerpt.requires_grad_(), label).detach()[0])


class Units(nn.Module):
    """Log-odds of two bins a and b: 2 relu(a) − 3 relu(b) + offset."""

    def __init__(self, relu, offset=0.0):
        super().__init__()
        self.relu, self.offset = relu, offset

    def logits(self, excerpts):
        return (self.relu(excerpts[:, 0]) * torch.tensor([2.0, -3.0])).sum(1) + self.offset

    def forward(self, excerpts):
        return self.logits(excerpts).sigmoid()


@pytest.mark.parametrize(
    "relu, offset, bins, expected",
    [
        (nn.ReLU(), 10, (1.0, 1.0), (2.0, 0.0)),  # the gradient is 2 and −3
        (nn.ReLU(), -10, (1.0, 1.0), (0.0, 3.0)),  # of the other class: −2 and 3
        (nn.ReLU(), 10, (-1.0, 1.0), (0.0, 0.0)),
        (LeakyRectifier(), 10, (-1.0, -1.0), (0.02, 0.0)),
    ],
)
def test_guided_backpropagation_by_hand(relu, offset, bins, expected):
    found = GuidedBackprop(Units(relu, offset)).score(torch.tensor([[bins]]))
    assert torch.allclose(found, torch.tensor([[expected]]))


def test_deeplift_by_hand():
    """From 0, the rescale rule attributes all of relu(a) to a, and nothing to a negative input."""
    found = DeepLift(Units(nn.ReLU(), 10)).score(torch.tensor([[[4.0, 1.0]], [[-2.0, 3.0]]]))
    assert torch.allclose(found, torch.tensor([[[8.0, -3.0]], [[0.0, -9.0]]]))


class Edges(nn.Module):
    """The largest of each two differences between neighbours in time, summed."""

    def __init__(self):
        super().__init__()
        self.pool = nn.MaxPool2d((2, 1))

    def logits(self, excerpts):
        return self.pool(excerpts[:, None].diff(dim=2)).sum((1, 2, 3)) + 10

    def forward(self, excerpts):
        return self.logits(excerpts).sigmoid()


def test_deeplift_of_a_constant_excerpt_does_not_depend_on_the_batch():
    steps, flat = torch.tensor([[[0.0], [1.0], [5.0]]]), torch.ones(1, 3, 1)
    alone = DeepLift(Edges()).score(flat)
    assert torch.equal(DeepLift(Edges()).score(torch.cat([steps, flat]))[1:], alone)


def test_layered_network_equals_the_original():
    network, excerpts = small_network()
    for rectifier in (LeakyRectifier, nn.LeakyReLU):
        assert torch.allclose(with_rectifiers(network, rectifier).logits(excerpts), network.logits(excerpts), atol=1e-5)
        assert torch.allclose(with_rectifiers(network, rectifier)(excerpts), network(excerpts), atol=1e-5)
    toy = Planted()
    assert with_rectifiers(toy, LeakyRectifier) is toy


def test_smoothgrad_noise_is_a_share_of_each_excerpts_range():
    """The mean gradient of x³ under noise of deviation s is 3 (x² + s²)."""

    class Cubic(nn.Module):
        def logits(self, excerpts):
            return (excerpts**3).sum((1, 2))

        def forward(self, excerpts):
            return self.logits(excerpts).sigmoid()

    excerpts = torch.stack([torch.linspace(0, size, 100).reshape(10, 10) for size in (1.0, 4.0)])
    found = SmoothGrad(Cubic(), samples=2000, noise=0.5).score(excerpts)
    expected = 3 * (excerpts**2 + torch.tensor([0.25, 4.0])[:, None, None])
    assert ((found - expected).mean((1, 2)).abs() < 0.02 * expected.mean((1, 2))).all()
