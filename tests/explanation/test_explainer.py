"""The explainer's contract, over a classifier whose answers are worked out by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from svdx.errors import ConfigError
from svdx.explanation import Area, Explainer, FeatureInversion
from svdx.explanation.methods.inversion import GatedInversion
from svdx.models import SVDNet, UpConv


class Mean(nn.Module):
    """p = the excerpt's mean, clamped; its features are the excerpt itself, flattened."""

    def __init__(self, threshold=0.5, bands=2):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.register_buffer("mean", torch.full((bands,), 1.0))
        self.register_buffer("std", torch.full((bands,), 0.5))
        self.register_buffer("threshold", torch.tensor(threshold))

    def features(self, excerpts):
        return excerpts.flatten(1)

    def forward(self, excerpts):
        return (self.weight * self.features(excerpts).mean(1)).clamp(0, 1)


class Itself(Explainer):
    """The picture of an excerpt is the excerpt."""

    name = "itself"

    def score(self, excerpts):
        return excerpts


EXCERPTS = torch.tensor([[[0.0, 0.0], [0.0, 2.4]], [[0.4, 0.8], [0.8, 0.8]], [[0.0, 0.5], [0.5, 1.0]]])


def test_every_field_by_hand():
    heard = Itself(Mean(), threshold=0.75)(EXCERPTS)
    assert torch.equal(heard.excerpts, EXCERPTS)
    assert torch.equal(heard.score, EXCERPTS)
    assert torch.allclose(heard.salience, torch.tensor([[[0, 0], [0, 1]], [[0, 1], [1, 1]], [[0, 0.5], [0.5, 1]]]))
    assert heard.mask.int().tolist() == [[[0, 0], [0, 1]], [[0, 1], [1, 1]], [[0, 0], [0, 1]]]
    assert torch.equal(heard.masked, EXCERPTS * heard.mask)
    assert heard.probability.tolist() == pytest.approx([0.6, 0.7, 0.5])
    assert heard.masked_probability.tolist() == pytest.approx([0.6, 0.6, 0.25])
    assert heard.area.tolist() == [0.25, 0.75, 0.25]
    assert heard.decision == 0.5
    assert heard.threshold.tolist() == [0.75] * 3


def test_labels_are_strictly_above_the_decision_threshold_and_a_flip_is_a_change_of_them():
    heard = Itself(Mean(threshold=0.5), threshold=1.1)(EXCERPTS)
    assert heard.probability[2] == 0.5
    assert heard.vocal.tolist() == [True, True, False]
    assert heard.masked_vocal.tolist() == [False, False, False]
    assert heard.flipped.tolist() == [True, True, False]


def test_the_decision_threshold_is_the_classifiers_and_half_without_one():
    assert Itself(Mean(threshold=0.25)).decision == 0.25
    assert Itself(nn.Identity()).decision == 0.5
    assert Itself(Mean(threshold=0.25))(EXCERPTS).vocal.all()


def test_threshold_0_keeps_all_and_flips_none():
    heard = Itself(Mean(), threshold=0.0, fill="zero")(EXCERPTS)
    assert torch.equal(heard.masked, EXCERPTS)
    assert torch.equal(heard.probability, heard.masked_probability)
    assert heard.area.tolist() == [1, 1, 1]
    assert not heard.flipped.any()


def test_fill_zero_puts_the_classifiers_own_standardised_zero_into_masked_bins():
    heard = Itself(Mean(), threshold=1.1, fill="zero")(EXCERPTS)
    assert torch.equal(heard.masked, torch.full_like(EXCERPTS, -2.0))  # -1 / 0.5


def test_at_another_threshold_only_the_mask_and_what_follows_from_it_change():
    explainer = Itself(Mean(), threshold=0.75)
    heard, there = explainer.at(explainer(EXCERPTS), 0.25), Itself(Mean(), threshold=0.25)(EXCERPTS)
    for name, array in there.arrays().items():
        assert np.array_equal(array, heard.arrays()[name]), name
    assert heard.mask.int().tolist() == [[[0, 0], [0, 1]], [[0, 1], [1, 1]], [[0, 1], [1, 1]]]


def test_every_explainer_has_a_cut_of_its_own():
    assert Itself(Mean()).threshold == GatedInversion(Mean(), UpConv(8)).threshold == Area(0.1)
    assert FeatureInversion(Mean(), UpConv(8)).threshold == 0.6
    for threshold in (0.25, Area(0.5)):
        assert Itself(Mean(), threshold).threshold == FeatureInversion(Mean(), None, threshold=threshold).threshold


def test_an_area_may_stand_for_a_threshold_but_not_beside_one():
    assert Itself(Mean(), area=0.25)(EXCERPTS).area.tolist() == [0.25] * 3
    assert FeatureInversion(Mean(), UpConv(8), area=0.25).threshold == Area(0.25)
    with pytest.raises(ConfigError, match=r"^explainer.threshold=0.5 and explainer.area=0.25: give one of them$"):
        Itself(Mean(), threshold=0.5, area=0.25)


def test_complement_keeps_what_salient_masks():
    salient = Itself(Mean(), threshold=0.75)(EXCERPTS)
    complement = Itself(Mean(), threshold=0.75, keep="complement")(EXCERPTS)
    assert torch.equal(salient.mask, ~complement.mask)
    assert torch.equal(salient.masked + complement.masked, EXCERPTS)
    assert complement.masked_probability.tolist() == pytest.approx([0, 0.1, 0.25])


def test_arrays_are_the_fields_in_numpy():
    heard = Itself(Mean(), threshold=0.75)(EXCERPTS)
    arrays = heard.arrays()
    assert set(arrays) == {
        *("excerpts", "picture", "salience", "mask", "masked"),
        *("probability", "masked_probability", "decision", "threshold"),
    }
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    assert arrays["mask"].dtype == bool and (arrays["mask"] == heard.mask.numpy()).all()
    assert arrays["decision"] == 0.5


@pytest.mark.parametrize("threshold", [-0.1, 1.2])
def test_a_threshold_outside_its_range_is_refused_when_the_explainer_is_made(threshold):
    with pytest.raises(ConfigError):
        Itself(Mean(), threshold=threshold)


@pytest.mark.parametrize("option", ["keep", "fill"])
def test_an_unknown_keep_or_fill_is_refused(option):
    with pytest.raises(ConfigError, match=f"{option}=other: expected"):
        Itself(Mean(), **{option: "other"})(EXCERPTS)


def test_inversion_computes_the_score_from_the_features_alone():
    seen = []

    class Inverter(nn.Module):
        def forward(self, features):
            seen.append(features)
            return -features.unflatten(1, (2, 2))

    heard = FeatureInversion(Mean(), Inverter(), threshold=0.5)(EXCERPTS)
    assert len(seen) == 1 and torch.equal(seen[0], EXCERPTS.flatten(1))
    assert torch.equal(heard.score, -EXCERPTS)
    assert heard.mask.int().tolist() == [[[1, 1], [1, 0]], [[1, 0], [0, 0]], [[1, 1], [1, 0]]]


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return SVDNet().eval(), UpConv(8).eval()


def test_an_explanation_leaves_the_networks_as_they_were(networks):
    classifier, inverter = networks
    before = [{name: value.clone() for name, value in network.state_dict().items()} for network in networks]
    heard = FeatureInversion(classifier, inverter)(torch.randn(2, 115, 80))
    assert heard.score.shape == heard.mask.shape == (2, 115, 80)
    assert not heard.masked_probability.requires_grad
    for network, state in zip(networks, before):
        assert not network.training
        assert all(parameter.grad is None and parameter.requires_grad for parameter in network.parameters())
        assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())


def test_an_excerpt_is_explained_alike_alone_and_in_a_batch(networks):
    explainer = FeatureInversion(*networks, threshold=0.5)
    excerpts = torch.randn(3, 115, 80, generator=torch.Generator().manual_seed(1))
    together, alone = explainer(excerpts), explainer(excerpts[1:2])
    assert torch.allclose(together.score[1:2], alone.score, atol=1e-5)
    assert torch.allclose(together.probability[1:2], alone.probability, atol=1e-6)
    assert (together.mask[1:2] != alone.mask).sum() <= 2  # bins that stand on the threshold to the last digit
