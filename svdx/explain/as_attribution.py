"""Any explainer as an attribution method of Captum's, for what takes one: `captum.metrics`, for example.

Nothing else of svdx imports this file: Captum is wanted by who imports it. pip install 'svdx[compare]'
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from svdx.errors import ConfigError
from svdx.explain.evidence import TwoClasses
from svdx.explain.explainer import Explainer
from svdx.explain.scores import scores

try:
    from captum.attr import Attribution
except ImportError as error:
    raise ConfigError("svdx.explain.as_attribution needs captum: pip install 'svdx[compare]'") from error


class AsAttribution(Attribution):
    """`attribute(inputs)` → the explainer's score of every bin, not scaled; the networks stay as they are.

    `forward_func` is the classifier with two columns, as Captum's own methods would be given it.

    >>> AsAttribution(FeatureInversion(classifier, inverter)).attribute(excerpts)  # doctest: +SKIP
    """

    def __init__(self, explainer: Explainer) -> None:
        super().__init__(TwoClasses(explainer.classifier))
        self.explainer = explainer

    def attribute(self, inputs: Tensor | tuple[Tensor, ...], target: Any = None) -> Tensor | tuple[Tensor, ...]:
        """inputs: standardised excerpts, [B, frames, bands] or [B, 1, frames, bands] → scores of the same shape; of a
        tuple, which Captum makes of them, a tuple.

        target: there because Captum's metrics hand it on; a svdx explainer explains the predicted class
        """
        if isinstance(inputs, tuple):
            return tuple(scores(self.explainer, excerpts) for excerpts in inputs)
        return scores(self.explainer, inputs)
