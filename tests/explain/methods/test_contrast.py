"""The contrast with undecided features, by hand."""

import pytest
import torch
from torch import nn

from svdx.errors import ConfigError
from svdx.explain.methods.contrast import ContrastiveInversion
from tests.support.toys import COLUMNS, RECTANGLE, ROWS, Planted, PlantedInverter, planted_excerpts

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


def test_contrast_needs_a_linear_layer_and_a_threshold_inside():
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
