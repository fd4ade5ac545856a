"""The curve figure holds the rows that it is given."""

import numpy as np
import pytest

from svdx.evaluation.published import published
from svdx.report.curve_figure import curve_figure

ROWS = [
    dict(threshold=t, explanation_loss_percent=e, relative_area_percent=a, ci_low=e - 5, ci_high=e + 7)
    | dict(n=10, n_vocal=4, flips_vocal=v, n_nonvocal=6, flips_nonvocal=o)
    | dict(balanced_loss_percent=(100 * v / 4 + 100 * o / 6) / 2)
    | dict(explainer="inversion", data="synthetic", split="test", keep="salient", fill="mean")
    for t, e, a, v, o in [(0.0, 10, 100.0, 0, 0), (0.5, 30, 42.0, 2, 1), (1.1, 60, 0.0, 4, 3)]
]


def lines(axes):
    return [tuple(map(list, line.get_data())) for line in axes.lines]


def test_the_curves_are_the_rows():
    left, right = curve_figure(ROWS).axes
    thresholds = [0.0, 0.5, 1.1]
    pooled, vocal, nonvocal, balanced = (values for _, values in lines(left))
    assert {tuple(points) for points, _ in lines(left)} == {tuple(thresholds)}
    assert (pooled, vocal, nonvocal) == ([10, 30, 60], [0, 50, 100], [0, 100 / 6, 50])
    assert balanced == pytest.approx([0, 100 / 3, 75])
    assert lines(right) == [(thresholds, [100, 42, 0])]


def test_the_band_is_the_interval():
    left, _ = curve_figure(ROWS).axes
    corners = {tuple(point) for point in left.collections[0].get_paths()[0].vertices}
    assert {(0.0, 5), (0.0, 17), (0.5, 25), (0.5, 37), (1.1, 55), (1.1, 67)} <= corners


def test_there_is_no_band_where_there_is_no_interval():
    left, _ = curve_figure([{**row, "ci_low": float("nan"), "ci_high": float("nan")} for row in ROWS]).axes
    assert not left.collections
    assert not any("interval" in text.get_text() for text in left.get_legend().get_texts())


def test_the_curve_figure_is_labelled():
    figure = curve_figure(ROWS)
    left, right = figure.axes
    for word in ("inversion", "synthetic", "test", "keep=salient", "fill=mean", "n = 10"):
        assert word in figure.get_suptitle()
    assert [axes.get_xlabel() for axes in (left, right)] == ["threshold", "threshold"]
    assert "%" in left.get_ylabel() and "%" in right.get_ylabel()
    legend = [text.get_text() for text in left.get_legend().get_texts()]
    assert any("vocal (n = 4)" in text for text in legend) and any("non-vocal (n = 6)" in text for text in legend)


def test_a_curve_over_areas_has_the_area_on_its_axis():
    rows = [row | {"explainer": "gated_inversion", "asked_area_percent": row["relative_area_percent"]} for row in ROWS]
    figure = curve_figure(rows)
    left, right = figure.axes
    areas = [0.0, 42.0, 100.0]
    assert {tuple(points) for points, _ in lines(left)} == {tuple(areas)}
    assert lines(left)[0] == (areas, [60, 30, 10]) and lines(right) == [(areas, [1.1, 0.5, 0.0])]
    assert [axes.get_xlabel() for axes in figure.axes] == ["relative area (%)"] * 2
    assert right.get_ylabel() == "threshold" and right.get_ylim()[1] < 2
    assert [text.get_text() for text in left.get_xticklabels()] == ["0", "1", "2", "5", "10", "20", "50", "100"]


def test_curves_over_thresholds_and_over_areas_are_compared_over_the_area():
    other = [row | {"explainer": "gated_inversion", "asked_area_percent": row["relative_area_percent"]} for row in ROWS]
    figure = curve_figure([*ROWS, *other])
    left, right = figure.axes
    assert labels(left) == labels(right) == ["inversion", "gated_inversion"]
    assert lines(left) == [([100, 42, 0], [10, 30, 60]), ([0, 42, 100], [60, 30, 10])]
    assert left.get_xlabel() == "relative area (%)"
    assert figure.get_suptitle().startswith("inversion, gated_inversion, on synthetic")


def labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_a_control_is_a_line_of_losses_beside_the_explanation_of_the_same_area():
    controls = [row | {"explainer": "random_blocks", "explanation_loss_percent": 77.0} for row in ROWS]
    left, right = curve_figure([*ROWS, *controls]).axes
    assert ([0.0, 0.5, 1.1], [77.0] * 3) in lines(left) and "random blocks, same area" in labels(left)
    assert len(lines(right)) == 1


def test_published_curves_are_drawn_for_the_same_corpus_and_masking():
    left, right = curve_figure([row | {"data": "jamendo"} for row in ROWS]).axes
    named = published("jamendo", "salient", "mean")
    assert named and set(named) <= set(labels(left)) & set(labels(right))
    points = next(iter(named.values()))
    drawn = [float(row["explanation_loss_percent"]) for row in points]
    assert drawn in [values for _, values in lines(left)]
    for other in ({"data": "synthetic"}, {"data": "jamendo", "fill": "floor"}):
        assert not set(named) & set(labels(curve_figure([row | other for row in ROWS]).axes[0]))


def test_of_several_curves_each_is_a_line_of_each_panel():
    left, right = curve_figure([*ROWS, *(row | {"fill": "zero", "relative_area_percent": 1.0} for row in ROWS)]).axes
    assert labels(left) == labels(right) == ["mean", "zero"]
    assert [values for _, values in lines(right)] == [[100, 42, 0], [1, 1, 1]]


def test_one_row_and_an_absent_class_can_be_drawn():
    left, _ = curve_figure([ROWS[1] | {"n_vocal": 0, "flips_vocal": 0}]).axes
    assert np.isnan(lines(left)[1][1][0])
