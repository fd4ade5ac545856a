"""The evidence for a label: the classifier's log-odds, and their gradient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


def log_odds(classifier: Any, excerpts: Tensor) -> Tensor:
    """Log-odds of singing [B] for excerpts [B, frames, bands]. Uses the classifier's `logits` if it has them: their
    gradient does not vanish where the probability is rounded to 0 or 1."""
    if hasattr(classifier, "logits"):
        return classifier.logits(excerpts)
    return torch.logit(classifier(excerpts))


class TwoClasses(nn.Module):
    """A classifier with one output column per class, as Captum and Quantus expect it.

    Shape:
        excerpts [B, frames, bands] or [B, 1, frames, bands] → log-odds of no singing and of singing, [B, 2]
    """

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, excerpts: Tensor) -> Tensor:
        singing = log_odds(self.classifier, excerpts.reshape(len(excerpts), *excerpts.shape[-2:]))
        return torch.stack([-singing, singing], 1)


@contextmanager
def recording() -> Iterator[None]:
    """Record gradients, even inside `no_grad` or `inference_mode`. Excerpts must be cloned inside."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def evidence(classifier: nn.Module, excerpts: Tensor, vocal: Tensor) -> Tensor:
    """Log-odds [B] of singing where `vocal` [B] is True, of no singing elsewhere."""
    singing = log_odds(classifier, excerpts)
    return torch.where(vocal, singing, -singing)


def evidence_gradient(classifier: nn.Module, excerpts: Tensor, vocal: Tensor) -> Tensor:
    """Gradient of `evidence` with respect to the bins of each excerpt, [B, frames, bands]."""
    with recording():
        excerpts = excerpts.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(evidence(classifier, excerpts, vocal.clone()).sum(), excerpts)
    return gradient
