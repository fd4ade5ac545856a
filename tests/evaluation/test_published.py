"""The published curves: numbers quoted in the documentation, and none for other corpora."""

import pytest

from svdx.evaluation.published import published


def at(rows, threshold):
    (row,) = (row for row in rows if row["threshold"] == threshold)
    return row["explanation_loss_percent"], row["relative_area_percent"]


def test_jamendo_at_0_6():
    curves = published("jamendo", "salient", "mean")
    assert at(curves["the released program (2019)"], 0.6) == (25.94, 39)
    assert at(curves["the paper's Figure 5 (2017)"], 0.6) == (18.83, 46)
    assert at(curves["the authors' random blocks (2017)"], 0.6)[0] == 26.89


@pytest.mark.parametrize("data, empty", [("jamendo", 57.77), ("rwc", 63.66)])
def test_the_empty_mask(data, empty):
    assert at(published(data, "salient", "mean")["the released program (2019)"], 1.1) == (empty, 0)


@pytest.mark.parametrize("asked", [("folder", "salient", "mean"), ("jamendo", "salient", "floor")])
def test_published_curves_match_corpus_and_masking(asked):
    assert published(*asked) == {}
