"""The paper's method: what the inverter reads back out of the classifier's last hidden layer is what it listened to."""

from __future__ import annotations

from torch import Tensor, nn

from svdx.explain.explainer import Explainer


class FeatureInversion(Explainer):
    """x* = G(Φ(x)), scaled to [0, 1] and thresholded (Mishra, Sturm and Dixon, EUSIPCO 2018, section III).

    inverter: maps features [B, n_features] to pictures [B, frames, bands]; the rest as in `Explainer`
    """

    name = "inversion"
    picture_is_logmel = True
    score = "inverted features"

    def __init__(self, classifier: nn.Module, inverter: nn.Module, **options) -> None:
        super().__init__(classifier, **options)
        self.inverter = inverter

    def picture(self, excerpts: Tensor) -> Tensor:
        return self.inverter(self.classifier.features(excerpts))

    def look(self, excerpts: Tensor) -> tuple[Tensor, Tensor]:
        if not hasattr(self.classifier, "decide"):
            return super().look(excerpts)
        features = self.classifier.features(excerpts)
        return self.inverter(features), self.classifier.decide(features)
