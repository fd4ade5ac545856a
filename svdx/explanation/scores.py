"""The scores of an explainer, for tools with measures of their own: Captum (`as_attribution`) and Quantus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from svdx.explanation.evidence import TwoClasses
from svdx.explanation.explainer import Explainer

Function = Callable[..., np.ndarray]


@torch.no_grad()
def scores(explainer: Explainer, excerpts: Tensor) -> Tensor:
    """Score of every bin of standardised excerpts, [B, frames, bands] or [B, 1, frames, bands]; the same shape."""
    flat = excerpts.detach().reshape(len(excerpts), *excerpts.shape[-2:])
    return explainer.score(flat).contiguous().view(excerpts.shape)  # Captum views the scores otherwise


def as_function(make: Callable[[torch.nn.Module], Explainer]) -> Function:
    """An `explain_func` for Quantus, for models that are `TwoClasses`. It explains the model that it is given, since
    Quantus's randomisation test passes others.

    make: classifier → explainer

    >>> explain_func = as_function(lambda classifier: FeatureInversion(classifier, inverter))  # doctest: +SKIP
    >>> quantus.Sparseness()(TwoClasses(classifier), x, y, explain_func=explain_func)  # doctest: +SKIP
    """

    def explain(model: TwoClasses, inputs: Any, targets: Any = None, **unused: Any) -> np.ndarray:
        """inputs: as in `scores`, numpy or tensor; targets: ignored, the predicted class is explained"""
        explainer = make(model.classifier)
        weight = next(model.parameters())
        return scores(explainer, torch.as_tensor(inputs, dtype=weight.dtype, device=weight.device)).cpu().numpy()

    return explain
