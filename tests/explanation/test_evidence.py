"""What speaks for a label: log-odds of both classes and their gradient."""

import pytest
import torch
from torch import nn

from svdx.explanation.evidence import TwoClasses, evidence, evidence_gradient, log_odds

EXCERPTS = 0.3 * torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(0))
WEIGHT = torch.arange(6.0).reshape(3, 2)


class Linear(nn.Module):
    """Log-odds of singing are a weighted sum of the bins."""

    def logits(self, excerpts):
        return (excerpts * WEIGHT).sum((1, 2))

    def forward(self, excerpts):
        return self.logits(excerpts).sigmoid()


class Probability(nn.Module):
    def forward(self, excerpts):
        return Linear()(excerpts)


@pytest.mark.parametrize("classifier", [Linear(), Probability()])
def test_log_odds_and_their_two_columns(classifier):
    singing = Linear().logits(EXCERPTS)
    assert torch.allclose(log_odds(classifier, EXCERPTS), singing, rtol=1e-2)
    assert torch.allclose(TwoClasses(classifier)(EXCERPTS), torch.stack([-singing, singing], 1), rtol=1e-2)


def test_evidence_is_signed_towards_the_label():
    vocal = torch.tensor([True, False, True, False])
    sign = torch.tensor([1.0, -1, 1, -1])
    assert torch.equal(evidence(Linear(), EXCERPTS, vocal), sign * Linear().logits(EXCERPTS))


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_the_gradient_by_hand_whatever_is_switched_off_around_it(around):
    with around():
        vocal = torch.tensor([True, False, True, False])
        found = evidence_gradient(Linear(), EXCERPTS.clone(), vocal)
    assert torch.equal(found, torch.stack([WEIGHT, -WEIGHT, WEIGHT, -WEIGHT]))
    assert not found.requires_grad


def test_a_saturated_svdnet_still_has_a_gradient(classifier):
    classifier.fc9.bias.fill_(100)
    excerpts = torch.randn(2, 115, 80)
    assert (classifier(excerpts) == 1).all()
    assert evidence_gradient(classifier, excerpts, torch.ones(2, dtype=torch.bool)).abs().max() > 0
