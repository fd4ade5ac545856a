"""Contrast: what the inversion would lose if the classifier were undecided."""

from __future__ import annotations

import math

from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explain.explainer import Explainer
from svdx.explain.methods.inversion import layer_of
from svdx.models.layers import FC8


class ContrastiveInversion(Explainer):
    """± (G(φ) − G(φ₀)), φ₀ being the nearest features to φ = Φ(x) at which the classifier is undecided; plus for
    singing, minus for none. Of this package; the inversion is Mishra, Sturm and Dixon's (EUSIPCO 2018).

    The last layer is linear, log-odds = wᵀφ + b, so that the features at which the probability is the decision
    threshold τ are a plane, and the nearest of them is φ₀ = φ − w (wᵀφ + b − logit τ) / ‖w‖². What both pictures share
    says nothing about the label and cancels.

    classifier: its last layer is `fc9`, an nn.Linear with one output
    inverter: maps FC8 [B, 64] to pictures [B, frames, bands]
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
        features = self.classifier.features(excerpts)
        margin, direction = self.margin(features), self.last_layer.weight[0]
        undecided = features - margin[:, None] * direction / direction.square().sum()
        return margin.sign()[:, None, None] * (self.inverter(features) - self.inverter(undecided))

    def margin(self, features: Tensor) -> Tensor:
        """Log-odds of singing above those of the decision threshold, [B]; positive where singing is heard."""
        return self.last_layer(features)[:, 0] - math.log(self.decision / (1 - self.decision))

    @property
    def last_layer(self) -> nn.Linear:
        """Raises: ConfigError."""
        layer = getattr(self.classifier, "fc9", None)
        if not (isinstance(layer, nn.Linear) and layer.out_features == 1):
            raise ConfigError(
                "explainer=contrast needs a classifier whose last layer is fc9, nn.Linear with one output"
            )
        return layer
