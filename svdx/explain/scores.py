"""An explainer's scores alone, for tools that bring their own measures: Captum's (`as_attribution`), Quantus'."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from svdx.explain.evidence import TwoClasses
from svdx.explain.explainer import Explainer

Function = Callable[..., np.ndarray]


@torch.no_grad()
def scores(explainer: Explainer, excerpts: Tensor) -> Tensor:
    """Score of every bin of standardised excerpts, [B, frames, bands] or [B, 1, frames, bands]; the same shape."""
    flat = excerpts.detach().reshape(len(excerpts), *excerpts.shape[-2:])
    return explainer.score(flat).contiguous().view(excerpts.shape)  # Captum views the scores otherwise


def as_function(make: Callable[[torch.nn.Module], Explainer]) -> Function:
    """What Quantus calls `explain_func`, for a model that is a `TwoClasses`: it explains whichever model it is given,
    since Quantus' randomisation test gives others.

    make: an explainer of a classifier

    >>> explain_func = as_function(lambda classifier: FeatureInversion(classifier, inverter))  # doctest: +SKIP
    >>> quantus.Sparseness()(TwoClasses(classifier), x, y, explain_func=explain_func)  # doctest: +SKIP
    """

    def explain(model: TwoClasses, inputs: Any, targets: Any = None, **unused: Any) -> np.ndarray:
        """inputs: as of `scores`, numpy or tensor; targets: given by Quantus, but it is the predicted class that is
        explained"""
        explainer = make(model.classifier)
        weight = next(model.parameters())
        return scores(explainer, torch.as_tensor(inputs, dtype=weight.dtype, device=weight.device)).cpu().numpy()

    return explain
