"""Controls keep as many bins as the explanation, and ignore why the classifier decides."""

import pytest
import torch
from torch import nn

from svdx.errors import ConfigError
from svdx.explanation.masks import normalise, same_area
from svdx.explanation.methods.controls import (
    CONTROLS,
    ClassMeanMask,
    Loudest,
    OtherTrackMask,
    RandomBins,
    RandomBlocks,
    make_controls,
)
from tests.support.toys import Planted, PlantedInverter, planted_excerpts

EXCERPTS = torch.randn(3, 12, 8, generator=torch.Generator().manual_seed(0))


def masks(*shares):
    """Masks of these shares of the 96 bins, [T, 3, 12, 8]: the first bins, and one more in the second excerpt."""
    rank = torch.arange(96).reshape(12, 8)
    extra = torch.tensor([0, 1, 0])[:, None, None]
    return torch.stack([rank < round(96 * share) + extra for share in shares])


def at_the_area(control, excerpts, masks):
    return same_area(control.score(excerpts), masks)


@pytest.mark.parametrize("name", CONTROLS)
def test_area_of_every_excerpt_equals_that_of_the_explanation(name):
    explained = masks(0, 0.1, 0.5, 1)
    found = at_the_area(CONTROLS[name](nn.Identity()), EXCERPTS, explained)
    assert found.dtype == torch.bool and found.shape == explained.shape
    assert torch.equal(found.flatten(2).sum(2), explained.flatten(2).sum(2))


@pytest.mark.parametrize("name", CONTROLS)
def test_smaller_areas_are_parts_of_larger_ones(name):
    smaller, larger = at_the_area(CONTROLS[name](nn.Identity()), EXCERPTS, masks(0.2, 0.6))
    assert (smaller <= larger).all()


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_do_not_depend_on_the_batch(name):
    control = CONTROLS[name](nn.Identity(), seed=3)
    explained = masks(0.3)
    together = at_the_area(control, EXCERPTS, explained)
    assert torch.equal(at_the_area(control, EXCERPTS[1:2], explained[:, 1:2]), together[:, 1:2])
    assert torch.equal(at_the_area(control, EXCERPTS.flip(0), explained.flip(1)).flip(1), together)


@pytest.mark.parametrize("kind", [RandomBins, RandomBlocks])
def test_random_controls_differ_between_excerpts_and_seeds(kind):
    one, two, _ = kind(nn.Identity(), seed=0).score(EXCERPTS)
    assert not torch.equal(one, two)
    assert not torch.equal(kind(nn.Identity(), seed=1).score(EXCERPTS)[0], one)


def test_random_bins_are_uniform():
    many = torch.randn(400, 12, 8, generator=torch.Generator().manual_seed(1))
    quarter = torch.ones(1, 400, 12, 8, dtype=torch.bool) & (torch.arange(8) < 2)
    share = at_the_area(RandomBins(nn.Identity()), many, quarter)[0].float().mean(0)
    assert share.mean() == pytest.approx(0.25)
    assert (share - 0.25).abs().max() < 0.1


def test_all_blocks_but_the_last_are_kept_whole():
    """A grid of 6 × 4 over 12 × 8 has blocks of 2 × 2: 10 bins are two blocks and the upper half of a third."""
    for mask in at_the_area(RandomBlocks(nn.Identity()), EXCERPTS, masks(10 / 96))[0, [0, 2]]:
        blocks = mask.unfold(0, 2, 2).unfold(1, 2, 2).flatten(2).int()
        assert sorted(blocks.sum(2).flatten().tolist()) == [0] * 21 + [2, 4, 4]
        half = blocks[blocks.sum(2) == 2]
        assert half.tolist() == [[1, 1, 0, 0]]


def test_the_loudest_bins_by_hand():
    excerpt = torch.tensor([[[0.0, -3.0], [2.0, 1.0]]])
    mask = torch.tensor([[[[True, True], [False, False]]]])
    assert at_the_area(Loudest(nn.Identity()), excerpt, mask).int().tolist() == [[[[0, 0], [1, 1]]]]


def test_controls_are_made_by_name_and_unknown_names_are_refused():
    assert [control.name for control in make_controls(["energy", "random"], nn.Identity(), 0)] == ["energy", "random"]
    with pytest.raises(ConfigError, match=r"controls=\['noise'\].*random, random_blocks, energy"):
        make_controls(["random", "noise"], nn.Identity(), 0)


PLANTED, VOCAL = planted_excerpts()
EXAMPLES, EXAMPLES_VOCAL = planted_excerpts(9, seed=5)


def saliences(vocal):
    return normalise(PlantedInverter()(Planted().features(EXAMPLES)))[vocal == EXAMPLES_VOCAL]


def test_class_mean_is_the_same_for_all_excerpts_of_a_label():
    score = ClassMeanMask(Planted(), PlantedInverter(), EXAMPLES).score(PLANTED).detach()
    for vocal in (True, False):
        expected = saliences(vocal).mean(0).expand(3, -1, -1)
        torch.testing.assert_close(score[vocal == VOCAL], expected)
    assert not torch.allclose(score[0], score[1])


def test_other_track_mask_is_that_of_an_example_of_the_same_label():
    scores = [
        OtherTrackMask(Planted(), PlantedInverter(), EXAMPLES, seed=seed).score(PLANTED).detach() for seed in range(8)
    ]
    for vocal in (True, False):
        drawn = torch.cat([score[vocal == VOCAL] for score in scores])
        equal = (drawn[:, None] == saliences(vocal)).flatten(2).all(2)
        assert (equal.sum(1) == 1).all() and (equal.sum(0) > 0).all()  # one each, and each some time


@pytest.mark.parametrize("kind", [ClassMeanMask, OtherTrackMask])
def test_all_examples_are_used_if_none_has_the_label(kind):
    singing = EXAMPLES[EXAMPLES_VOCAL]
    score = kind(Planted(), PlantedInverter(), singing).score(PLANTED).detach()
    if kind is ClassMeanMask:
        torch.testing.assert_close(score, saliences(True).mean(0).expand(6, -1, -1))
    else:
        assert (score[:, None] == saliences(True)).flatten(2).all(2).any(1).all()


@pytest.mark.parametrize("kind", [ClassMeanMask, OtherTrackMask])
def test_examples_are_inverted_once_at_first_use(kind):
    seen = []
    inverter = PlantedInverter()
    inverter.register_forward_pre_hook(lambda _, features: seen.append(len(features[0])))
    explainer = kind(Planted(), inverter, EXAMPLES)
    assert seen == []
    explainer.score(PLANTED), explainer.score(PLANTED)
    assert seen == [9]


def test_an_example_does_not_get_its_own_mask():
    own = EXAMPLES[EXAMPLES_VOCAL][:2]
    control = OtherTrackMask(Planted(), PlantedInverter(), own)
    itself = normalise(PlantedInverter()(Planted().features(own)))
    assert torch.equal(control.score(own), itself.flip(0))
