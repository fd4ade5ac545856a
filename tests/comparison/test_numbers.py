"""Numbers of a comparison, calculated by hand: regions, localisation, areas under curves, statistics."""

import numpy as np
import pytest

from svdx.comparison.equal_area import count_regions, regions
from svdx.comparison.localisation import localise, localise_batch, voice_ratio
from svdx.comparison.measures import areas_under
from svdx.comparison.results import Results, rows
from svdx.comparison.statistics import class_means, drawn_signs, drawn_tracks, holm, p_values
from svdx.comparison.stems import Pair
from tests.support.study import small_study


def drawn(*lines):
    return np.array([[character == "#" for character in line] for line in lines])


def test_regions_of_drawn_masks():
    assert regions(drawn("##..", "##..", "...#")) == (2, 0.8)
    assert regions(drawn("#..", ".#.", "..#")) == (1, 1.0)  # corners touch
    assert regions(drawn("#.#", "...", "#.#")) == (4, 0.25)
    count, share = regions(drawn("..", ".."))
    assert count == 0 and np.isnan(share)
    both = count_regions(np.stack([drawn("#.#"), drawn("##.")])[:, None])
    assert both["regions"].tolist() == [[2], [1]] and both["largest_region"].tolist() == [[0.5], [1]]


PAIR = Pair(np.log([[2.0, 2.0, 1.0, 1.0]]), np.log([[1.0, 1.0, 2.0, 2.0]]))  # the voice is the first two bins


def test_localisation_by_hand():
    """Energies are 4 and 1: voice is 4/5 of the first bin and half of all. Best bins in order: 0, 2, 1, 3."""
    score, rank = np.array([[3.0, 1.0, 2.0, -5.0]]), np.array([[0, 2, 1, 3]])
    masks = np.array([[[True, False, False, False]], [[True, False, True, False]]])
    found = localise(PAIR, score, rank, masks)
    np.testing.assert_allclose(found["voice_share"], [0.8, 0.5])
    np.testing.assert_allclose(found["voice_enrichment"], [1.6, 1.0])
    assert found["voice_iou"] == pytest.approx(1 / 3)  # bins 0 and 2 against 0 and 1
    assert found["relevance_rank"] == 0.5
    assert found["relevance_mass"] == pytest.approx(4 / 6)  # what is negative counts nothing
    assert found["pointing_game"] == 1
    assert voice_ratio(PAIR) == pytest.approx(0)


def test_pointing_game_is_the_mean_over_equally_good_bins():
    rank, masks = np.array([[0, 1, 2, 3]]), np.ones((1, 1, 4), bool)
    for score, expected in (([1, 1, 1, 1], 1 / 2), ([0, 3, 3, 3], 1 / 3), ([3, 2, 2, 2], 1)):
        assert localise(PAIR, np.array([score], float), rank, masks)["pointing_game"] == pytest.approx(expected)


def test_relevance_mass_is_nan_without_positive_scores():
    score, rank = -np.ones((2, 1, 4)), np.tile(np.arange(4), (2, 1, 1))
    masks = np.ones((1, 2, 1, 4), bool)
    found = localise_batch([PAIR, PAIR], np.array([False, True]), score, rank, masks)
    assert np.isnan(found["relevance_mass"]).all()
    assert np.isnan(found["voice_share"][0, 0]) and found["voice_share"][0, 1] == pytest.approx(0.5)


def test_areas_under_a_curve_by_hand():
    values, areas = np.array([[[40.0], [20.0]]]), np.array([0.1, 0.5])
    plain, log = areas_under(values, areas, np.array([100.0]), np.array([0.0]))
    assert plain.item() == pytest.approx(0.1 * 70 + 0.4 * 30 + 0.5 * 10)
    widths = np.log([5, 2])
    assert log.item() == pytest.approx((widths[0] * 30 + widths[1] * 10) / np.log(10))


TRACK = np.array([0, 0, 1, 1, 2])
VOCAL = np.array([True, True, True, False, False])
CLASSES = {"all": np.ones(5, bool), "vocal": VOCAL, "nonvocal": ~VOCAL}


def test_class_means_ignore_nan():
    values = np.array([[100.0, 0.0, np.nan, 100.0, 0.0]])
    means = class_means(values, TRACK, CLASSES, drawn_tracks(3, 200))
    assert {name: mean.value.item() for name, mean in means.items()} == dict.fromkeys([*CLASSES, "balanced"], 50)
    assert {name: mean.n.item() for name, mean in means.items()} == {"all": 4, "vocal": 2, "nonvocal": 2, "balanced": 4}
    nothing = class_means(np.full((1, 5), np.nan), TRACK, CLASSES, drawn_tracks(3, 10))["all"]
    assert nothing.n.item() == 0 and np.isnan(nothing.value) and np.isnan(nothing.interval).all()


def test_intervals_need_ten_measured_tracks():
    track, drawn_often = np.repeat(np.arange(10), 2), drawn_tracks(10, 200)
    values = np.tile([100.0, 0.0, 0.0], 7)[None, :20]
    classes = {"all": np.ones(20, bool), "vocal": track < 5, "nonvocal": track > 4}
    found = class_means(values, track, classes, drawn_often)
    (low,), (high,) = found["all"].interval
    assert low < found["all"].value.item() < high
    of_five = [found[name] for name in ("vocal", "nonvocal", "balanced")]
    assert np.isnan([some.interval for some in of_five]).all()
    assert not np.isnan([some.value for some in of_five]).any()
    values[0, :2] = np.nan
    found = class_means(values, track, {"all": classes["all"]}, drawn_often)["all"]
    assert np.isnan(found.interval).all() and found.n.item() == 18


def test_balanced_is_not_pooled():
    values = np.array([[90.0, 90.0, 90.0, 0.0, 0.0]])
    means = class_means(values, TRACK, CLASSES, drawn_tracks(3, 10))
    assert (means["all"].value.item(), means["balanced"].value.item()) == (54, 45)


def test_all_methods_share_the_bootstrap_draws():
    values = np.arange(10.0) + np.array([[0], [1]])
    found = class_means(values, np.arange(10), {"all": np.ones(10, bool)}, drawn_tracks(10, 500))["all"]
    np.testing.assert_allclose(np.diff([found.value, *found.interval]).ravel(), 1)  # never more or less apart
    tracks = drawn_tracks(3, 500)
    assert tracks.shape == (500, 3) and (tracks.sum(1) == 3).all()


def test_p_values_of_sign_flips_by_hand():
    """With six tracks of equal difference, 2 of 64 sign patterns are as far from 0."""
    signs = np.array([[1 - 2 * (number >> bit & 1) for bit in range(6)] for number in range(64)], float)
    track, every = np.arange(6), {"all": np.ones(6, bool)}
    differences = np.array([[1.0] * 6, [1, -1, 1, -1, 1, -1], [0.0] * 6, [np.nan] * 6])
    p = p_values(differences, track, every, signs)["all"]
    assert p[0] == pytest.approx(3 / 65) and p[1] == p[2] == 1 and np.isnan(p[3])
    assert set(np.unique(drawn_signs(6, 50))) == {-1, 1}


def test_few_tracks_are_never_significant_however_many_excerpts_they_have():
    track, every = np.repeat([0, 1, 2], 100), {"all": np.ones(300, bool)}
    assert p_values(np.ones((1, 300)), track, every, drawn_signs(3))["all"].item() > 0.2


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.01, 0.02, 0.03, 0.5])), [0.04, 0.06, 0.06, 0.5])
    np.testing.assert_allclose(holm(np.array([0.5, 0.6, np.nan])), [1, 1, np.nan])


def test_reversal_by_fill_needs_disjoint_intervals():
    """a and b change places far apart, c and d within their intervals."""
    means = {"a": (1, 9), "b": (9, 1), "c": (30, 30.5), "d": (30.5, 30)}
    place = {"metric": "m", "area": None, "class": "all"}
    results = Results(
        [
            {**place, "method": name, "fill": fill, "value": mean, "ci_low": mean - 1, "ci_high": mean + 1}
            for name, of in means.items()
            for fill, mean in zip(("mean", "floor"), of, strict=True)
        ]
    )
    assert results.reversed_by_fill("m", ["mean", "floor"]) == {"a", "b"}
    assert results.reversed_by_fill("m", ["mean"]) == set()


def test_seconds_are_per_excerpt_in_the_fullest_batches():
    results = Results(rows(small_study(), 50))
    assert results.value("random", "seconds_batch_4_median") == 0.5
    assert results.value("random", "seconds_batch_1_median") == 2
    assert results.value("random", "first_seconds") == 7


def test_percentile_needs_twenty_timings():
    study = small_study()
    study.methods["random"]["seconds_alone"] = np.arange(20.0)
    study.methods["inversion"]["seconds_alone"] = np.arange(19.0)
    row = Results(rows(study, 50)).row
    assert row("random", "seconds_batch_1_p95")["n"] == 20 and row("inversion", "seconds_batch_1_p95") is None
    assert row("inversion", "seconds_batch_1_median")["n"] == 19
    assert row("random", "seconds_batch_4_median")["n"] == 1 and row("random", "forwards")["n"] == 7
