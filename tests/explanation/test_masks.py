"""The mask: normalise, threshold, fill, area, with numbers small enough to check by eye."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch

from svdx.errors import ConfigError
from svdx.explanation.masks import (
    apply_mask,
    check_threshold,
    fill_value,
    largest_mask,
    normalise,
    relative_area,
    threshold_mask,
)

SALIENCE = torch.tensor([[[0.0, 0.25], [0.5, 1.0]], [[1.0, 0.0], [1.0, 0.1]]])
KEPT = {  # threshold → the bins of SALIENCE that it keeps
    0.0: [[[1, 1], [1, 1]], [[1, 1], [1, 1]]],
    0.25: [[[0, 1], [1, 1]], [[1, 0], [1, 0]]],
    0.5: [[[0, 0], [1, 1]], [[1, 0], [1, 0]]],
    0.6: [[[0, 0], [0, 1]], [[1, 0], [1, 0]]],
    1.0: [[[0, 0], [0, 1]], [[1, 0], [1, 0]]],
    1.1: [[[0, 0], [0, 0]], [[0, 0], [0, 0]]],
}


def pictures(n=5, seed=0):
    return 7 * torch.randn(n, 11, 8, generator=torch.Generator().manual_seed(seed)) - 3


def test_each_score_is_scaled_by_its_own_extremes():
    two = torch.tensor([[[-1.0, 0.0], [1.0, 3.0]], [[10.0, 20.0], [10.0, 12.0]]])
    assert normalise(two).tolist() == [[[0.0, 0.25], [0.5, 1.0]], [[0.0, 1.0], [0.0, pytest.approx(0.2)]]]


def test_the_extremes_are_exactly_0_and_1_and_the_order_stays():
    many = pictures()
    scaled = normalise(many)
    assert scaled.amin((1, 2)).tolist() == [0] * 5
    assert scaled.amax((1, 2)).tolist() == [1] * 5
    for before, after in zip(many.flatten(1), scaled.flatten(1)):
        assert torch.equal(after[before.argsort()], after.sort().values)


def test_a_score_is_scaled_equally_alone_and_in_a_batch():
    many = pictures()
    assert torch.equal(normalise(many)[3:4], normalise(many[3:4]))


@pytest.mark.parametrize("value", [-2.0, 0.0, 5.0])
def test_a_constant_score_has_salience_0_without_nan(value):
    scaled = normalise(torch.full((2, 3, 4), value))
    assert torch.equal(scaled, torch.zeros(2, 3, 4))


@pytest.mark.parametrize("threshold", KEPT)
def test_bins_at_or_above_the_threshold_are_kept(threshold):
    mask = threshold_mask(SALIENCE, threshold)
    assert mask.dtype == torch.bool
    assert mask.int().tolist() == KEPT[threshold]


def test_threshold_1_keeps_exactly_the_maxima_of_a_normalised_picture():
    many = pictures()
    assert torch.equal(threshold_mask(normalise(many), 1.0), many == many.amax((1, 2), keepdim=True))


@pytest.mark.parametrize("threshold", KEPT)
def test_salient_and_complement_hold_every_bin_once(threshold):
    salience = normalise(pictures())
    salient, complement = (threshold_mask(salience, threshold, keep) for keep in ("salient", "complement"))
    assert torch.equal(salient.int() + complement.int(), torch.ones_like(salience, dtype=torch.int))
    assert torch.allclose(relative_area(salient) + relative_area(complement), torch.ones(5))


def test_a_higher_threshold_keeps_a_part_of_what_a_lower_one_keeps():
    salience = normalise(pictures())
    masks = [threshold_mask(salience, threshold) for threshold in KEPT]
    assert all((inner <= outer).all() for outer, inner in pairwise(masks))


def test_masked_bins_are_filled_and_the_others_unchanged():
    excerpts = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    mask = torch.tensor([[[True, False], [False, True]]])
    fill = torch.tensor([-10.0, -20.0])
    assert apply_mask(excerpts, mask, fill).tolist() == [[[1.0, -20.0], [-10.0, 4.0]]]


def test_the_value_of_each_fill():
    mean, std = torch.tensor([2.0, -3.0, 0.0]), torch.tensor([4.0, 0.5, 8.0])
    excerpts = torch.tensor([[[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]], [[0.0, 0.0, 4.0], [0.0, 2.0, 0.0]]])

    def value(fill):
        return fill_value(fill, excerpts, mean, std, floor=math.exp(-16)).tolist()

    assert value("mean") == [0, 0, 0]
    assert value("zero") == [-0.5, 6, 0]
    assert value("floor") == pytest.approx([-4.5, -26, -2])
    assert value("excerpt-mean") == [[[2, 2, 2]], [[0, 1, 2]]]


def test_the_largest_bins_are_as_many_as_asked_for_and_the_first_of_equal_ones():
    score = torch.tensor([[[0.5, 0.9], [0.9, 0.1]], [[0.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [3.0, 4.0]]])
    found = largest_mask(score, torch.tensor([1, 3, 0]))
    assert found.int().tolist() == [[[0, 1], [0, 0]], [[1, 1], [1, 0]], [[0, 0], [0, 0]]]


def test_area_is_the_share_of_kept_bins_of_each_excerpt():
    mask = torch.tensor([[[1, 0], [0, 0]], [[1, 1], [1, 0]], [[0, 0], [0, 0]], [[1, 1], [1, 1]]]).bool()
    assert relative_area(mask).tolist() == [0.25, 0.75, 0, 1]


@pytest.mark.parametrize("threshold", [-0.01, 1.11, 1.2, 60, float("nan"), float("inf"), "high", None, True])
def test_a_threshold_outside_0_to_1_1_is_refused(threshold):
    with pytest.raises(ConfigError, match=rf"^explainer\.threshold: {threshold} is outside \[0, 1.1\]$"):
        check_threshold(threshold)
    with pytest.raises(ConfigError, match=rf"^thresholds: {threshold} is outside"):
        check_threshold(threshold, "thresholds")
    with pytest.raises(ConfigError):
        threshold_mask(SALIENCE, threshold)


@pytest.mark.parametrize("threshold", [0, 1, 1.1, np.float32(0.5), np.float64(0.5), np.int64(1)])
def test_any_real_number_within_it_is_accepted(threshold):
    assert torch.equal(threshold_mask(SALIENCE, threshold), SALIENCE.ge(float(threshold)))


@pytest.mark.parametrize("keep", ["invert", "", None, True])
def test_an_unknown_keep_is_refused_and_the_known_ones_are_named(keep):
    with pytest.raises(ConfigError, match=r"explainer\.keep=.*salient or complement"):
        threshold_mask(SALIENCE, 0.5, keep)


@pytest.mark.parametrize("fill", ["noise", "", None])
def test_an_unknown_fill_is_refused_and_the_known_ones_are_named(fill):
    with pytest.raises(ConfigError, match=r"explainer\.fill=.*mean, zero, floor or excerpt-mean"):
        fill_value(fill, torch.zeros(1, 3, 2), torch.zeros(2), torch.ones(2), floor=1e-7)
