"""Saliency: where the evidence is steep."""

from __future__ import annotations

from torch import Tensor, nn

from svdx.explain.methods.attribution import Attributed


class Saliency(Attributed):
    """The gradient's magnitude (Simonyan, Vedaldi and Zisserman, ICLR workshop 2014), by Captum's Saliency."""

    name = "saliency"

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        from captum.attr import Saliency as Method

        return Method(model).attribute(excerpts, target=label, abs=True)
