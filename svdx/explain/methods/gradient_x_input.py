"""Gradient × input: what each bin adds, as far as the classifier is linear."""

from __future__ import annotations

from torch import Tensor, nn

from svdx.explain.methods.attribution import Attributed


class GradientXInput(Attributed):
    """The gradient times the bin's deviation from the training mean, signed (Shrikumar et al., 2016), by Captum's
    InputXGradient.
    """

    name = "gradient_x_input"

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        from captum.attr import InputXGradient

        return InputXGradient(model).attribute(excerpts, target=label)
