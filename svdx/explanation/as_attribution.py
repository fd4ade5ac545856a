"""Any explainer as a Captum attribution method, for example for `captum.metrics`.

No other module of svdx imports this one, since it needs Captum: pip install 'svdx[compare]'
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from svdx.errors import ConfigError
from svdx.explanation.evidence import TwoClasses
from svdx.explanation.explainer import Explainer
from svdx.explanation.scores import scores

try:
    from captum.attr import Attribution
except ImportError as error:
    raise ConfigError("svdx.explanation.as_attribution needs captum: pip install 'svdx[compare]'") from error


class AsAttribution(Attribution):
    """`attribute(inputs)` → the explainer's score of every bin, not scaled. The networks are not modified.

    `forward_func` is the classifier with two output columns, as Captum's own methods take it.

    >>> AsAttribution(FeatureInversion(classifier, inverter)).attribute(excerpts)  # doctest: +SKIP
    """

    def __init__(self, explainer: Explainer) -> None:
        super().__init__(TwoClasses(explainer.classifier))
        self.explainer = explainer

    def attribute(self, inputs: Tensor | tuple[Tensor, ...], target: Any = None) -> Tensor | tuple[Tensor, ...]:
        """Score standardised excerpts, [B, frames, bands] or [B, 1, frames, bands] → the same shape. For a tuple, which
        Captum makes of its inputs, a tuple.

        target: 0 no singing, 1 singing, one for all or [B]. Raises: ConfigError unless it is the predicted class.
        """
        if isinstance(inputs, tuple):
            return tuple(self._attribute(excerpts, target) for excerpts in inputs)
        return self._attribute(inputs, target)

    def _attribute(self, excerpts: Tensor, target: Any) -> Tensor:
        if target is not None:
            self._expect_predicted(excerpts, target)
        return scores(self.explainer, excerpts)

    @torch.no_grad()
    def _expect_predicted(self, inputs: Tensor, target: Any) -> None:
        flat = inputs.detach().reshape(len(inputs), *inputs.shape[-2:])
        predicted = (self.explainer.classifier(flat) > self.explainer.decision).long()
        if not (predicted == torch.as_tensor(target, device=predicted.device)).all():
            raise ConfigError(f"target={target}: svdx explains the predicted classes, here {predicted.tolist()}")
