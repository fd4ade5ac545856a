"""Contrastive and gated inversion, calculated by hand."""

import pytest
import torch
from torch import nn

from svdx.errors import ConfigError
from svdx.explanation.masks import normalise
from svdx.explanation.methods.inversion import ContrastiveInversion, GatedInversion, smooth
from tests.support.toys import COLUMNS, FRAMES, RECTANGLE, ROWS, Planted, PlantedInverter, planted_excerpts

EXCERPTS, VOCAL = planted_excerpts()


def test_contrast_by_hand():
    """w = 1/6 everywhere and ‖w‖² = 4/3: the score is (log-odds − logit τ) / 8 in the rectangle, 0 elsewhere."""
    mean = EXCERPTS[:, ROWS, COLUMNS].mean((1, 2))
    for threshold, moved in ((0.5, 0.0), (0.66, 0.0829118)):  # logit 0.66 / 8
        classifier = Planted()
        classifier.threshold = threshold
        with torch.no_grad():
            score = ContrastiveInversion(classifier, PlantedInverter()).score(EXCERPTS)
        expected = torch.where(VOCAL, mean - moved, moved - mean)[:, None, None] * RECTANGLE
        torch.testing.assert_close(score, expected, atol=1e-5, rtol=0)
        assert (score[:, RECTANGLE] > 0).all()


def test_contrast_is_proportional_to_the_weights():
    classifier = Planted()
    with torch.no_grad():
        classifier.fc9.weight.copy_(torch.linspace(-1, 2, 48))
        score = ContrastiveInversion(classifier, PlantedInverter()).score(EXCERPTS)
        side = classifier.logits(EXCERPTS).abs() / classifier.fc9.weight.square().sum()
    torch.testing.assert_close(score[:, RECTANGLE], side[:, None] * classifier.fc9.weight)


def test_contrast_needs_a_linear_layer_and_a_threshold_between_0_and_1():
    classifier = Planted()
    classifier.fc9 = nn.Sequential(classifier.fc9)
    with pytest.raises(ConfigError, match="explainer=contrast needs a classifier whose last layer is fc9"):
        ContrastiveInversion(classifier, PlantedInverter()).score(EXCERPTS)
    classifier.threshold = 1.0
    with pytest.raises(ConfigError, match=r"classifier.threshold=1.0: explainer=contrast needs one between 0 and 1"):
        ContrastiveInversion(classifier, PlantedInverter())


def test_the_inverter_of_another_layer_is_refused():
    inverter = PlantedInverter()
    inverter.layer = "mp6"
    with pytest.raises(ConfigError, match="layer=mp6: explainer=contrast needs fc8"):
        ContrastiveInversion(Planted(), inverter)


def gated(**options):
    return GatedInversion(Planted(), PlantedInverter(), **{"frames": 1.0, "bands": 1.0, **options})


def test_gated_without_smoothing_by_hand():
    """Gradient ±1/6 times the excerpt: only positive evidence counts, in the rectangle only."""
    excerpts = EXCERPTS.clone()
    excerpts[:, 8, 6] *= -1
    gate = gated(frames=0.0, bands=0.0).gate(excerpts)
    sign = torch.where(VOCAL, 1.0, -1.0)[:, None, None]
    torch.testing.assert_close(gate, (sign * excerpts * RECTANGLE / 6).clamp_min(0))
    score = gated(frames=0.0, bands=0.0).score(excerpts)
    salience = normalise(PlantedInverter()(Planted().features(excerpts)))
    torch.testing.assert_close(score, salience * normalise(gate))
    assert (score[:, ~RECTANGLE] == 0).all() and (score[:, 8, 6] == 0).all()


def test_gated_scores_are_zero_beyond_the_gaussian():
    near = smooth(RECTANGLE[None].float(), 1.0, 1.0) > 0
    score = gated().score(EXCERPTS)
    assert (score[:, ~near[0]] == 0).all() and (score[:, RECTANGLE].amax(1) > 0).all() and not near.all()


def test_evidence_is_relative_to_the_fill():
    """An excerpt that equals its fill has none."""
    flat = EXCERPTS[:2].mean(1, keepdim=True).expand(-1, FRAMES, -1)
    assert gated(fill="excerpt-mean").gate(flat).max() < 1e-6
    assert gated().gate(flat).max() > 0.01


def test_smoothing_preserves_the_sum_and_has_the_given_deviation():
    point = torch.zeros(1, 61, 41)
    point[0, 30, 20] = 1
    spread = smooth(point, 4.0, 2.0)[0]
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    for dim, centre, deviation in ((1, 30, 4.0), (0, 20, 2.0)):
        offsets = torch.arange(len(spread.sum(dim))) - centre
        assert (spread.sum(dim) * offsets**2).sum().sqrt() == pytest.approx(deviation, rel=0.03)
