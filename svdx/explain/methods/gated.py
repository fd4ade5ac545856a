"""The gated inversion: the inversion where there is evidence for the label, and nothing elsewhere."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from svdx.explain.evidence import evidence_gradient
from svdx.explain.explainer import Explainer
from svdx.explain.masks import normalise
from svdx.explain.methods.inversion import invert
from svdx.schema.checks import checked
from svdx.schema.types import NonNegativeFloat

REACH = 3  # standard deviations after which a Gaussian is cut off


@checked
class GatedInversion(Explainer):
    """The inversion's salience times the evidence for the predicted class, both from 0 to 1. Of this package; the
    inversion is Mishra, Sturm and Dixon's (EUSIPCO 2018), the evidence gradient × input (Shrikumar et al., 2016).

    The evidence of a bin is the gradient of the predicted class' log-odds times the bin's distance from the fill: how
    much the log-odds would fall, to first order, if it were masked. Speckle as it is, a Gaussian smooths it, so that
    regions stay regions; what speaks against the class counts as none.

    inverter: as in `FeatureInversion`
    frames, bands: standard deviation of the Gaussian, 0 for none
    """

    name = "gated_inversion"

    def __init__(
        self,
        classifier: nn.Module,
        inverter: nn.Module,
        frames: NonNegativeFloat = 4.0,
        bands: NonNegativeFloat = 3.0,
        **options,
    ) -> None:
        super().__init__(classifier, **options)
        self.inverter, self.frames, self.bands = inverter, frames, bands

    def score(self, excerpts: Tensor) -> Tensor:
        return normalise(invert(self.classifier, self.inverter, excerpts)) * normalise(self.gate(excerpts))

    def gate(self, excerpts: Tensor) -> Tensor:
        """The smoothed evidence for the predicted class where there is any, [B, frames, bands] ≥ 0."""
        vocal = self.classifier(excerpts) > self.decision
        nothing = self.apply(excerpts, torch.zeros_like(excerpts, dtype=torch.bool))
        found = evidence_gradient(self.classifier, excerpts, vocal) * (excerpts - nothing)
        return smooth(found, self.frames, self.bands).clamp_min(0)


def smooth(pictures: Tensor, frames: float, bands: float) -> Tensor:
    """Pictures [B, frames, bands] smoothed by a Gaussian with these standard deviations, in bins; 0 outside."""
    for dim, deviation in ((1, frames), (2, bands)):
        radius = min(round(REACH * deviation), pictures.shape[dim] - 1)
        offsets = torch.arange(-radius, radius + 1).to(pictures)
        weights = torch.softmax(-(offsets**2) / (2 * max(deviation, 1e-3) ** 2), 0)
        shape, padding = ((-1, 1), (radius, 0)) if dim == 1 else ((1, -1), (0, radius))
        pictures = nn.functional.conv2d(pictures[:, None], weights.view(1, 1, *shape), padding=padding)[:, 0]
    return pictures
