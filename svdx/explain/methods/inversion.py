"""The paper's method: what the inverter reads back out of the classifier's last hidden layer is what it listened to.

The inverter of another layer shows what that one still knows (Mishra, Sturm and Dixon, ISMIR 2018).
"""

from __future__ import annotations

from torch import Tensor, nn

from svdx.explain.explainer import Explainer
from svdx.models.layers import FC8, features_of


class FeatureInversion(Explainer):
    """x* = G(Φ(x)), scaled to [0, 1] and thresholded (Mishra, Sturm and Dixon, EUSIPCO 2018, section III).

    inverter: maps the features of its `layer` (of FC8, where it has none) to pictures
        [B, frames, bands]; the rest as in `Explainer`
    """

    name = "inversion"
    score_name = "inverted features"
    default_threshold = 0.6  # the paper's

    def __init__(self, classifier: nn.Module, inverter: nn.Module, **options) -> None:
        super().__init__(classifier, **options)
        self.inverter, self.layer = inverter, layer_of(inverter)

    def features(self, excerpts: Tensor) -> Tensor:
        """What is inverted of excerpts [B, frames, bands]."""
        return features_of(self.classifier, self.layer, excerpts)

    def score(self, excerpts: Tensor) -> Tensor:
        return invert(self.classifier, self.inverter, excerpts)

    def score_and_predict(self, excerpts: Tensor) -> tuple[Tensor, Tensor]:
        if self.layer != FC8 or not hasattr(self.classifier, "decide"):
            return super().score_and_predict(excerpts)
        features = self.features(excerpts)
        return self.inverter(features), self.classifier.decide(features)


def layer_of(inverter: nn.Module) -> str:
    """The layer that it inverts; FC8 where it says nothing."""
    return getattr(inverter, "layer", FC8)


def invert(classifier: nn.Module, inverter: nn.Module, excerpts: Tensor) -> Tensor:
    """What is read back of excerpts [B, frames, bands] out of the inverter's layer, the same shape."""
    return inverter(features_of(classifier, layer_of(inverter), excerpts))
