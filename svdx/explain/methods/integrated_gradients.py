"""Integrated gradients: what each bin adds on the way from the training mean to the excerpt."""

from __future__ import annotations

from torch import Tensor, nn

from svdx.explain.methods.attribution import AT_ONCE, Attributed
from svdx.schema.checks import checked
from svdx.schema.types import PositiveInt


@checked
class IntegratedGradients(Attributed):
    """The gradient's mean on the straight line from the training mean to the excerpt, times their difference, signed
    (Sundararajan, Taly and Yan, ICML 2017), by Captum's IntegratedGradients.

    steps: points on the line, of Gauss–Legendre's quadrature; the paper: 20 to 300
    """

    name = "integrated_gradients"

    def __init__(self, classifier: nn.Module, steps: PositiveInt = 50, **options) -> None:
        super().__init__(classifier, **options)
        self.steps = steps

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        from captum.attr import IntegratedGradients as Method

        how = {"n_steps": self.steps, "internal_batch_size": AT_ONCE}
        return Method(model).attribute(excerpts, baselines=0, target=label, **how)
