"""What speaks for a label: the classifier's log-odds of both classes, and their gradient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def log_odds(classifier: nn.Module, excerpts: Tensor) -> Tensor:
    """Log-odds of singing [B] for excerpts [B, frames, bands]; by `logits` where the classifier has it, which keeps
    its gradient where the probability is rounded to 0 or 1."""
    if hasattr(classifier, "logits"):
        return classifier.logits(excerpts)
    return torch.logit(classifier(excerpts))


class TwoClasses(nn.Module):
    """A classifier with a column a class, as tools for multi-class classifiers expect it: Captum's, Quantus'.

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
    """While gradients are recorded, whatever was switched off around it; excerpts must be cloned inside."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def evidence(classifier: nn.Module, excerpts: Tensor, vocal: Tensor) -> Tensor:
    """Log-odds [B] of the class that `vocal` [B] bool names: what speaks for that label."""
    singing = log_odds(classifier, excerpts)
    return torch.where(vocal, singing, -singing)


def evidence_gradient(classifier: nn.Module, excerpts: Tensor, vocal: Tensor) -> Tensor:
    """Gradient of the evidence for each excerpt's label by its bins, [B, frames, bands]."""
    with recording():
        excerpts = excerpts.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(evidence(classifier, excerpts, vocal.clone()).sum(), excerpts)
    return gradient
