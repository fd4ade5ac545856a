"""SVDNet taken apart is the same network."""

import torch

from svdx.models.sequential import sequential


def test_it_gives_the_same_log_odds_and_shares_its_layers(classifier):
    excerpts = torch.randn(3, 115, 80)
    parts = sequential(classifier)
    assert torch.allclose(parts(excerpts), classifier.logits(excerpts), atol=1e-5)
    assert parts.fc8[0] is classifier.fc8


def test_its_parts_are_the_layers_by_name(classifier):
    parts = sequential(classifier)
    names = ["conv1", "conv2", "mp3", "conv4", "conv5", "mp6", "fc7", "fc8", "fc9"]
    assert [name for name, _ in parts.named_children()] == names
    excerpts = torch.randn(2, 115, 80)
    assert torch.allclose(parts[:6](excerpts), classifier.pooled(excerpts), atol=1e-5)
    assert torch.allclose(parts[:8](excerpts), classifier.features(excerpts), atol=1e-5)
