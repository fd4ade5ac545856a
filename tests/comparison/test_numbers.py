"""Numbers of a comparison against what they are by hand: components, the voice, areas under curves, statistics."""

import numpy as np
import pytest

from svdx.comparison.localisation import localise, localise_batch, voice_ratio
from svdx.comparison.measures import area_under, area_under_log
from svdx.comparison.regions import count_regions, regions
from svdx.comparison.results import Found
from svdx.comparison.reversals import reversed_by_fill
from svdx.comparison.statistics import class_means, drawn_signs, drawn_tracks, holm, p_values
from svdx.comparison.stems import Pair
from svdx.comparison.table import HIGH, LOW, Column, _best, _sane, _section, retrained


def drawn(*lines):
    return np.array([[character == "#" for character in line] for line in lines])


def test_pieces_of_drawn_masks():
    assert regions(drawn("##..", "##..", "...#")) == (2, 0.8)
    assert regions(drawn("#..", ".#.", "..#")) == (1, 1.0)  # corners touch
    assert regions(drawn("#.#", "...", "#.#")) == (4, 0.25)
    count, share = regions(drawn("..", ".."))
    assert count == 0 and np.isnan(share)
    both = count_regions(np.stack([drawn("#.#"), drawn("##.")])[:, None])
    assert both["regions"].tolist() == [[2], [1]] and both["largest_region"].tolist() == [[0.5], [1]]


PAIR = Pair(np.log([[2.0, 2.0, 1.0, 1.0]]), np.log([[1.0, 1.0, 2.0, 2.0]]))  # the voice is the first two bins


def test_the_voice_by_hand():
    """Energies are 4 and 1: of the first bin 4/5 is voice, of the whole half. Best bins in order: 0, 2, 1, 3."""
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


def test_of_several_best_bins_the_pointing_game_counts_all():
    rank, masks = np.array([[0, 1, 2, 3]]), np.ones((1, 1, 4), bool)
    for score, said in (([1, 1, 1, 1], 1 / 2), ([0, 3, 3, 3], 1 / 3), ([3, 2, 2, 2], 1)):
        assert localise(PAIR, np.array([score], float), rank, masks)["pointing_game"] == pytest.approx(said)


def test_without_positive_score_there_is_no_mass_and_elsewhere_nothing_is_measured():
    score, rank = -np.ones((2, 1, 4)), np.tile(np.arange(4), (2, 1, 1))
    masks = np.ones((1, 2, 1, 4), bool)
    found = localise_batch([PAIR, PAIR], np.array([False, True]), score, rank, masks)
    assert np.isnan(found["relevance_mass"]).all()
    assert np.isnan(found["voice_share"][0, 0]) and found["voice_share"][0, 1] == pytest.approx(0.5)


def test_areas_under_a_curve_by_hand():
    values, areas = np.array([[[40.0], [20.0]]]), np.array([0.1, 0.5])
    plain = area_under(values, areas, np.array([100.0]), np.array([0.0]))
    assert plain.item() == pytest.approx(0.1 * 70 + 0.4 * 30 + 0.5 * 10)
    widths = np.log([5, 2])
    expected = (widths[0] * 30 + widths[1] * 10) / np.log(10)
    assert area_under_log(values, areas, np.array([0.0])).item() == pytest.approx(expected)


TRACK = np.array([0, 0, 1, 1, 2])
VOCAL = np.array([True, True, True, False, False])
CLASSES = {"all": np.ones(5, bool), "vocal": VOCAL, "nonvocal": ~VOCAL}


def test_means_of_classes_and_what_was_not_measured():
    values = np.array([[100.0, 0.0, np.nan, 100.0, 0.0]])
    means = class_means(values, TRACK, CLASSES, drawn_tracks(3, 200))
    assert {name: mean.value.item() for name, mean in means.items()} == dict.fromkeys([*CLASSES, "balanced"], 50)
    assert {name: mean.n.item() for name, mean in means.items()} == {"all": 4, "vocal": 2, "nonvocal": 2, "balanced": 4}
    nothing = class_means(np.full((1, 5), np.nan), TRACK, CLASSES, drawn_tracks(3, 10))["all"]
    assert nothing.n.item() == 0 and np.isnan([nothing.value, nothing.low, nothing.high]).all()


def test_an_interval_needs_ten_tracks_where_something_was_measured():
    track, drawn_often = np.repeat(np.arange(10), 2), drawn_tracks(10, 200)
    values = np.tile([100.0, 0.0, 0.0], 7)[None, :20]
    classes = {"all": np.ones(20, bool), "vocal": track < 5, "nonvocal": track > 4}
    found = class_means(values, track, classes, drawn_often)
    assert found["all"].low.item() < found["all"].value.item() < found["all"].high.item()
    of_five = [found[name] for name in ("vocal", "nonvocal", "balanced")]
    assert np.isnan([(some.low, some.high) for some in of_five]).all()
    assert not np.isnan([some.value for some in of_five]).any()
    values[0, :2] = np.nan
    found = class_means(values, track, {"all": classes["all"]}, drawn_often)["all"]
    assert np.isnan([found.low, found.high]).all() and found.n.item() == 18


def test_balanced_is_not_pooled():
    values = np.array([[90.0, 90.0, 90.0, 0.0, 0.0]])
    means = class_means(values, TRACK, CLASSES, drawn_tracks(3, 10))
    assert (means["all"].value.item(), means["balanced"].value.item()) == (54, 45)


def test_all_methods_are_drawn_alike():
    values = np.arange(10.0) + np.array([[0], [1]])
    found = class_means(values, np.arange(10), {"all": np.ones(10, bool)}, drawn_tracks(10, 500))["all"]
    np.testing.assert_allclose(np.diff([found.value, found.low, found.high]).ravel(), 1)  # never more or less apart
    tracks = drawn_tracks(3, 500)
    assert tracks.shape == (500, 3) and (tracks.sum(1) == 3).all()


def test_p_of_the_signs_of_tracks():
    """With six tracks that all differ alike, 2 of 64 signs are as far from 0."""
    signs = np.array([[1 - 2 * (number >> bit & 1) for bit in range(6)] for number in range(64)], float)
    track, every = np.arange(6), {"all": np.ones(6, bool)}
    differences = np.array([[1.0] * 6, [1, -1, 1, -1, 1, -1], [0.0] * 6, [np.nan] * 6])
    p = p_values(differences, track, every, signs)["all"]
    assert p[0] == pytest.approx(3 / 65) and p[1] == p[2] == 1 and np.isnan(p[3])
    assert set(np.unique(drawn_signs(6, 50))) == {-1, 1}


def test_few_tracks_cannot_differ_significantly_however_many_excerpts_they_have():
    track, every = np.repeat([0, 1, 2], 100), {"all": np.ones(300, bool)}
    assert p_values(np.ones((1, 300)), track, every, drawn_signs(3))["all"].item() > 0.2


def test_holm_by_hand():
    np.testing.assert_allclose(holm(np.array([0.01, 0.02, 0.03, 0.5])), [0.04, 0.06, 0.06, 0.5])
    np.testing.assert_allclose(holm(np.array([0.5, 0.6, np.nan])), [1, 1, np.nan])


def row(method, value, **more):
    blank = dict(metric="m", fill="", area=None, ci_low=None, ci_high=None, p_holm=None)
    return {**blank, "class": "all", "method": method, "value": value, **more}


def test_the_best_of_a_column_and_what_differs_are_marked():
    found = Found([row("a", 1.0), row("b", 2.0, p_holm=0.01, ci_low=1.5, ci_high=2.5), row("c", 1.001, p_holm=0.2)])
    section = _section(found, "title", "note", [Column("M", "m", better=LOW), Column("absent", "other")])
    assert section.heads == ["M ↓"]
    (a,), (b,), (c,) = section.lines.values()
    assert (a.best, b.best, c.best) == (True, False, True)  # as written
    assert (b.text, b.interval, b.differs, c.differs) == ("2.00", "[1.50, 2.50]", True, False)
    assert _best({"a": 1.0, "b": 2.0}, HIGH) == {"b"} and _best({"a": 1.0, "b": 1.0}, HIGH) == set()


def test_values_that_do_not_mean_the_same_are_not_compared():
    found = Found([row("a", 1.0), row("b", 2.0, p_holm=0.01)])
    lines = _section(found, "title", "note", [Column("M", "m", alike=False)]).lines
    assert [(cell.best, cell.differs) for (cell,) in lines.values()] == [(False, False)] * 2


def test_an_order_that_a_fill_turns_round_beyond_the_intervals_is_marked():
    """a and b change places far apart, c and d within their intervals."""
    middles = {"a": (1, 9), "b": (9, 1), "c": (30, 30.5), "d": (30.5, 30)}
    written = [
        row(name, middle, fill=fill, ci_low=middle - 1, ci_high=middle + 1)
        for name, of in middles.items()
        for fill, middle in zip(("mean", "floor"), of, strict=True)
    ]
    found = Found(written)
    assert reversed_by_fill(found, "m", ["mean", "floor"]) == {"a", "b"}
    assert reversed_by_fill(found, "m", ["mean"]) == set()
    lines = _section(found, "title", "note", [Column("M", "m", "mean", fills=("mean", "floor"))]).lines
    assert {name: cell.marks for name, (cell,) in lines.items()} == {"a": "‡", "b": "‡", "c": "", "d": ""}


def test_the_turned_explanation_is_not_the_sanest():
    values = {("turned", "spearman"): -1, ("turned", "abs_spearman"): 1, ("other", "spearman"): 0.1}
    values["other", "abs_spearman"] = 0.1
    found = Found([row(name, value, metric=f"randomised_{kind}/fc9") for (name, kind), value in values.items()])
    section = _section(found, *_sane(0.1, ["fc9"], False))
    assert section.heads == ["fc9 random: abs ρ ↓"]
    assert section.lines["other"][0].best and section.lines["turned"][0].text == "1.00"


def test_the_page_says_whether_inverters_were_retrained_and_shows_every_layer():
    layers = ["fc9", "conv1"]
    found = Found([row("a", 1.0, metric="randomised_abs_spearman/fc9")])
    assert not retrained(found) and "none was trained" in _sane(0.1, layers, retrained(found))[1]
    found = Found([row("a", 1.0, metric=f"retrained_abs_spearman/{layer}") for layer in layers])
    assert retrained(found)
    section = _section(found, *_sane(0.1, layers, retrained(found)))
    assert section.heads == ["retrained, fc9: abs ρ ↓", "retrained, conv1: abs ρ ↓"]
    assert "equally long" in section.note and "none was trained" not in section.note
