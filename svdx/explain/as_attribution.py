"""Any explainer as an attribution method of Captum's, for what takes one: `captum.metrics`, for example.

Nothing else of svdx imports this file: Captum is wanted by who imports it. pip install 'svdx[compare]'
"""

from __future__ import annotations

from typing import Any

import torch
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

        target: 0 no singing, 1 singing, one for all or [B]; an explainer explains the predicted class and no other
        Raises: ConfigError for another target.
        """
        if isinstance(inputs, tuple):
            return tuple(self.attribute(excerpts, target) for excerpts in inputs)
        if target is not None:
            self._expect_predicted(inputs, target)
        return scores(self.explainer, inputs)

    @torch.no_grad()
    def _expect_predicted(self, inputs: Tensor, target: Any) -> None:
        flat = inputs.detach().reshape(len(inputs), *inputs.shape[-2:])
        predicted = (self.explainer.classifier(flat) > self.explainer.decision).long()
        if not (predicted == torch.as_tensor(target, device=predicted.device)).all():
            raise ConfigError(f"target={target}: svdx explains the predicted classes, here {predicted.tolist()}")
