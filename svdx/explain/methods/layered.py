"""A classifier whose non-linearities are modules, for methods that replace their gradients."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from svdx.models.layers import sequential
from svdx.models.svdnet import LEAK, SVDNet


class Layered(nn.Module):
    """An SVDNet in eval mode by its modules: the same weights, the same log-odds to 1e-5.

    rectifier: makes a non-linearity
    """

    def __init__(self, network: SVDNet, rectifier: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.logits = sequential(network, rectifier)

    def forward(self, excerpts: Tensor) -> Tensor:
        return self.logits(excerpts).sigmoid()


class LeakyRectifier(nn.ReLU):
    """SVDNet's leaky ReLU for tools that look for nn.ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, LEAK)


def layered(classifier: nn.Module, rectifier: Callable[[], nn.Module]) -> nn.Module:
    """An SVDNet by its modules; another classifier as it is: what it does without modules keeps its own gradient."""
    return Layered(classifier, rectifier) if isinstance(classifier, SVDNet) else classifier
