"""Explanation by inverting features: the paper's method, and two methods of this package that build on it.

An inverter maps features of the classifier back to log-mel; what it recovers is what the classifier listened to.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explanation.evidence import evidence_gradient
from svdx.explanation.explainer import Explainer
from svdx.explanation.masks import normalise
from svdx.models.layers import FC8, features_of
from svdx.schema.checks import checked
from svdx.schema.types import NonNegativeFloat

REACH = 3  # standard deviations at which a Gaussian is cut off


class FeatureInversion(Explainer):
    """x* = G(Φ(x)), scaled to [0, 1] and thresholded (Mishra, Sturm and Dixon, EUSIPCO 2018, section III).

    The inverter of another layer shows what that layer still represents (Mishra, Sturm and Dixon, ISMIR 2018).

    inverter: maps the features of its `layer` (of FC8 without that attribute) to log-mel [B, frames, bands]; the other
        options as in `Explainer`
    """

    name = "inversion"
    score_name = "inverted features"
    default_threshold = 0.6  # the paper's

    def __init__(self, classifier: nn.Module, inverter: nn.Module, **options) -> None:
        super().__init__(classifier, **options)
        self.inverter, self.layer = inverter, layer_of(inverter)

    def features(self, excerpts: Tensor) -> Tensor:
        """The features of excerpts [B, frames, bands] that are inverted."""
        return features_of(self.classifier, self.layer, excerpts)

    def score(self, excerpts: Tensor) -> Tensor:
        return invert(self.classifier, self.inverter, excerpts)

    def score_and_predict(self, excerpts: Tensor) -> tuple[Tensor, Tensor]:
        decide = getattr(self.classifier, "decide", None)
        if self.layer != FC8 or decide is None:
            return super().score_and_predict(excerpts)
        features = self.features(excerpts)
        return self.inverter(features), decide(features)


class ContrastiveInversion(Explainer):
    """± (G(φ) − G(φ₀)), φ₀ being the nearest features to φ = Φ(x) at which the classifier is undecided; plus for
    singing, minus otherwise. A method of this package; the inversion is Mishra, Sturm and Dixon's (EUSIPCO 2018).

    The last layer is linear, log-odds = wᵀφ + b, so the features at which the probability is the decision threshold τ
    form a plane, and the nearest of them is φ₀ = φ − w (wᵀφ + b − logit τ) / ‖w‖². What both inversions share says
    nothing about the label and cancels.

    classifier: with a last layer `fc9`, an nn.Linear with one output
    inverter: maps FC8 [B, 64] to log-mel [B, frames, bands]

    Raises: ConfigError for a decision threshold of 0 or 1, and for an inverter of another layer.
    """

    name = "contrast"

    def __init__(self, classifier: nn.Module, inverter: nn.Module, **options) -> None:
        super().__init__(classifier, **options)
        if not 0 < self.decision < 1:
            raise ConfigError(f"classifier.threshold={self.decision}: explainer=contrast needs one between 0 and 1")
        self.check_layer(layer_of(inverter))
        self.inverter = inverter

    @classmethod
    def check_layer(cls, layer: str) -> None:
        if layer != FC8:
            raise ConfigError(f"layer={layer}: explainer={cls.name} needs {FC8}, the input of the last layer")

    def score(self, excerpts: Tensor) -> Tensor:
        features = features_of(self.classifier, FC8, excerpts)
        margin, direction = self.margin(features), self.last_layer.weight[0]
        undecided = features - margin[:, None] * direction / direction.square().sum()
        return margin.sign()[:, None, None] * (self.inverter(features) - self.inverter(undecided))

    def margin(self, features: Tensor) -> Tensor:
        """Log-odds of singing minus those of the decision threshold, [B]; positive for the label singing."""
        return self.last_layer(features)[:, 0] - math.log(self.decision / (1 - self.decision))

    @property
    def last_layer(self) -> nn.Linear:
        """Raises: ConfigError for a classifier without it."""
        layer = getattr(self.classifier, "fc9", None)
        if not (isinstance(layer, nn.Linear) and layer.out_features == 1):
            raise ConfigError(
                "explainer=contrast needs a classifier whose last layer is fc9, nn.Linear with one output"
            )
        return layer


@checked
class GatedInversion(Explainer):
    """The inversion's salience times the evidence for the predicted class, both scaled to [0, 1]: high where there is
    evidence for the label only. A method of this package; the inversion is Mishra, Sturm and Dixon's (EUSIPCO 2018),
    the evidence is gradient × input (Shrikumar et al., 2016).

    The evidence of a bin is the gradient of the predicted class's log-odds times the bin's distance from the fill: how
    much the log-odds would fall, to first order, if the bin were masked. A Gaussian smooths its speckle, so that
    regions stay regions; evidence against the class counts as none.

    inverter: as in `FeatureInversion`
    frames, bands: standard deviations of the Gaussian, 0 for none
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
        """The smoothed positive evidence for the predicted class, [B, frames, bands] ≥ 0."""
        vocal = self.classifier(excerpts) > self.decision
        filled = self.apply(excerpts, torch.zeros_like(excerpts, dtype=torch.bool))
        evidence = evidence_gradient(self.classifier, excerpts, vocal) * (excerpts - filled)
        return smooth(evidence, self.frames, self.bands).clamp_min(0)


def layer_of(inverter: nn.Module) -> str:
    """The layer whose features an inverter maps back; FC8 if it does not state one."""
    return str(getattr(inverter, "layer", FC8))


def invert(classifier: nn.Module, inverter: nn.Module, excerpts: Tensor) -> Tensor:
    """The log-mel recovered from the features of excerpts [B, frames, bands] in the inverter's layer, same shape."""
    return inverter(features_of(classifier, layer_of(inverter), excerpts))


def smooth(scores: Tensor, frames: float, bands: float) -> Tensor:
    """Convolve scores [B, frames, bands] with a Gaussian of these standard deviations, in bins; 0 outside."""
    for dim, deviation in ((1, frames), (2, bands)):
        radius = min(round(REACH * deviation), scores.shape[dim] - 1)
        offsets = torch.arange(-radius, radius + 1).to(scores)
        weights = torch.softmax(-(offsets**2) / (2 * max(deviation, 1e-3) ** 2), 0)
        shape, padding = ((-1, 1), (radius, 0)) if dim == 1 else ((1, -1), (0, radius))
        scores = nn.functional.conv2d(scores[:, None], weights.view(1, 1, *shape), padding=padding)[:, 0]
    return scores
