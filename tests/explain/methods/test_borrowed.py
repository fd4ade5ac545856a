"""Borrowed explanations are other excerpts' saliences, of the same label."""

import pytest
import torch

from svdx.explain.masks import normalise
from svdx.explain.methods.borrowed import ClassMeanMask, OtherTrackMask
from tests.support.toys import Planted, PlantedInverter, planted_excerpts

EXCERPTS, VOCAL = planted_excerpts()
EXAMPLES, EXAMPLES_VOCAL = planted_excerpts(9, seed=5)


def saliences(vocal):
    return normalise(PlantedInverter()(Planted().features(EXAMPLES)))[vocal == EXAMPLES_VOCAL]


def test_the_class_mean_is_the_same_for_all_of_a_label():
    picture = ClassMeanMask(Planted(), PlantedInverter(), EXAMPLES).score(EXCERPTS).detach()
    for vocal in (True, False):
        expected = saliences(vocal).mean(0).expand(3, -1, -1)
        torch.testing.assert_close(picture[vocal == VOCAL], expected)
    assert not torch.allclose(picture[0], picture[1])


def test_another_tracks_mask_is_an_example_of_the_same_label():
    pictures = [
        OtherTrackMask(Planted(), PlantedInverter(), EXAMPLES, seed=seed).score(EXCERPTS).detach() for seed in range(8)
    ]
    for vocal in (True, False):
        drawn = torch.cat([picture[vocal == VOCAL] for picture in pictures])
        equal = (drawn[:, None] == saliences(vocal)).flatten(2).all(2)
        assert (equal.sum(1) == 1).all() and (equal.sum(0) > 0).all()  # one each, and each some time


@pytest.mark.parametrize("kind", [ClassMeanMask, OtherTrackMask])
def test_without_an_example_of_the_label_all_are_used(kind):
    singing = EXAMPLES[EXAMPLES_VOCAL]
    picture = kind(Planted(), PlantedInverter(), singing).score(EXCERPTS).detach()
    if kind is ClassMeanMask:
        torch.testing.assert_close(picture, saliences(True).mean(0).expand(6, -1, -1))
    else:
        assert (picture[:, None] == saliences(True)).flatten(2).all(2).any(1).all()


@pytest.mark.parametrize("kind", [ClassMeanMask, OtherTrackMask])
def test_the_examples_are_looked_at_once_and_not_before_they_are_needed(kind):
    seen = []
    inverter = PlantedInverter()
    inverter.register_forward_pre_hook(lambda _, features: seen.append(len(features[0])))
    explainer = kind(Planted(), inverter, EXAMPLES)
    assert seen == []
    explainer.score(EXCERPTS), explainer.score(EXCERPTS)
    assert seen == [9]


def test_an_excerpt_that_is_an_example_does_not_borrow_from_itself():
    own = EXAMPLES[EXAMPLES_VOCAL][:2]
    control = OtherTrackMask(Planted(), PlantedInverter(), own)
    itself = normalise(PlantedInverter()(Planted().features(own)))
    assert torch.equal(control.score(own), itself.flip(0))
