"""DeepLIFT: what each bin adds to the difference between the excerpt and the training mean."""

from __future__ import annotations

from torch import Tensor, nn

from svdx.explain.evidence import TwoClasses
from svdx.explain.methods.attribution import Attributed
from svdx.explain.methods.layered import layered
from svdx.models.layers import LEAKY


class DeepLift(Attributed):
    """Contributions by the rescale rule, against the training mean, signed (Shrikumar, Greenside and Kundaje, ICML
    2017), by Captum's DeepLift.

    They sum to the difference in log-odds. One excerpt after the other: where an excerpt equals the training mean,
    Captum's rule for max-pooling takes the gradient of the batch's first excerpt. In a classifier other than SVDNet
    only non-linearities that are modules follow the rule, and others their gradient.
    """

    name = "deeplift"
    at_once = 1

    def model(self) -> nn.Module:
        return TwoClasses(layered(self.classifier, LEAKY))

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        from captum.attr import DeepLift as Method

        return Method(model).attribute(excerpts, baselines=0, target=label)
