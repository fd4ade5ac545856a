"""Guided backpropagation: where the evidence is steep, by units that speak for it only."""

from __future__ import annotations

from torch import Tensor, nn

from svdx.explain.evidence import TwoClasses
from svdx.explain.methods.attribution import Attributed
from svdx.explain.methods.layered import LeakyRectifier, layered


class GuidedBackprop(Attributed):
    """Magnitude of the gradient of which every rectifier lets only what is positive pass (Springenberg et al., ICLR
    workshop 2015), by Captum's GuidedBackprop.

    The paper's networks have ReLUs, which pass nothing where their input is negative. SVDNet's leaky ReLUs pass a
    hundredth there, of the positive part as well: the network explained is the one that decides. In a classifier other
    than SVDNet only modules of type nn.ReLU guide; with none, this is saliency.
    """

    name = "guided_backprop"

    def model(self) -> nn.Module:
        return TwoClasses(layered(self.classifier, LeakyRectifier))

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        from captum.attr import GuidedBackprop as Method

        return Method(model).attribute(excerpts, target=label).abs()
