"""Figures hold the numbers they are given, on axes in seconds and Hz, and are never saved."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from svdx.evaluation.published import published
from svdx.explain import Explanation, TrackExplanation
from svdx.explain.maximisation import Extreme
from svdx.report.figures import FREQUENCY_TICKS, curve_figure, explanation_figure, track_figure, unit_figure


def an_explanation(n=2):
    generator = torch.Generator().manual_seed(4)
    excerpts, picture = torch.randn(2, n, 115, 80, generator=generator)
    salience = (picture - picture.amin()) / (picture.amax() - picture.amin())
    mask = salience >= 0.5
    p = torch.linspace(0.25, 0.75, n)
    return Explanation(excerpts, picture, salience, mask, excerpts * mask, p, 1 - p, 0.5, 0 * p)


@pytest.fixture
def figure(frontend, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return explanation_figure(an_explanation(), frontend, number=1, title="song.mp3, from 10 s")


def panels(figure):
    return [axes for axes in figure.axes if axes.get_subplotspec() is not None and axes.get_title(loc="left")]


def test_four_panels_show_the_given_excerpt(figure):
    heard = an_explanation()
    shown = [panel.images[0].get_array() for panel in panels(figure)]
    expected = [getattr(heard, name)[1].numpy().T for name in ("excerpts", "salience", "mask", "masked")]
    assert len(shown) == 4
    for image, values in zip(shown, expected):
        assert image.shape == (80, 115)
        assert np.array_equal(image, values)


def test_a_whole_tracks_panels_share_their_time(frontend):
    track, salience = torch.randn(500, 80), torch.rand(500, 80)
    mask, starts = salience >= 0.5, torch.tensor([0, 200, 385])
    p = torch.tensor([0.9, 0.2, 0.6])
    heard = TrackExplanation(track, starts, salience, mask, track * mask, p, 1 - p, 0.5, 0.5)
    probability, *pictures = panels(track_figure(heard, frontend, "song.mp3, whole track"))
    for axes, values in zip(pictures, (track, salience, track * mask), strict=True):
        assert np.array_equal(axes.images[0].get_array(), values.numpy().T)
        assert axes.get_xlim() == probability.get_xlim() == (0, pytest.approx(500 / 70))
    before, after, decision = probability.lines
    np.testing.assert_allclose(before.get_xdata(), (starts + 57.5) / 70)
    assert before.get_ydata().tolist() == p.tolist() and after.get_ydata().tolist() == (1 - p).tolist()
    assert list(decision.get_ydata()) == [0.5, 0.5]


def test_low_bands_are_at_the_bottom_and_time_goes_from_0_to_the_excerpts_length(figure):
    for panel in panels(figure):
        assert panel.images[0].origin == "lower"
        left, right, bottom, top = panel.images[0].get_extent()
        assert (left, right) == (0, pytest.approx(115 * 315 / 22050))
        assert (bottom, top) == (-0.5, 79.5)  # the middle of band k is at k


def test_hz_ticks_stand_at_the_bands_that_are_centred_there(figure, frontend):
    centres = frontend.band_frequencies().numpy()
    for panel in panels(figure)[::2]:
        assert [int(label.get_text()) for label in panel.get_yticklabels()] == [100, 200, 500, 1000, 2000, 4000, 8000]
    for panel in panels(figure):
        positions = panel.get_yticks()
        assert len(positions) == len(FREQUENCY_TICKS) and (np.diff(positions) > 0).all()
        assert positions[-1] == 79  # 8 kHz is the upper end of the last band, whose centre is at 7.7 kHz
        for hz, position in zip(FREQUENCY_TICKS[:-1], positions):
            below, above = centres[int(position)], centres[int(position) + 1]
            assert below <= hz <= above
            assert below + (above - below) * (position % 1) == pytest.approx(hz, rel=1e-4)


def test_the_outer_axes_are_labelled(figure):
    corners = [(panel.get_xlabel(), panel.get_ylabel()) for panel in panels(figure)]
    assert corners == [("", "frequency (Hz)"), ("", ""), ("time (s)", "frequency (Hz)"), ("time (s)", "")]


def test_titles_hold_the_probabilities_and_the_area(figure):
    a, _, c, d = (panel.get_title(loc="left") for panel in panels(figure))
    assert "0.75" in a and "0.25" in d
    assert f"{100 * an_explanation().mask[1].float().mean():.0f} % kept" in c
    assert figure.get_suptitle() == "song.mp3, from 10 s"


def test_input_and_explanation_share_their_colours_and_salience_its_range(figure):
    limits = [panel.images[0].get_clim() for panel in panels(figure)]
    assert limits[0] == limits[3]
    assert limits[1] == limits[2] == (0, 1)


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


def test_nothing_is_saved_shown_or_kept_open(figure, tmp_path):
    import matplotlib.pyplot as plt

    assert isinstance(curve_figure(ROWS), Figure)
    assert list(tmp_path.iterdir()) == []
    assert plt.get_fignums() == []


def test_a_units_extremes_are_shown_with_their_traces(frontend):
    excerpts = torch.randn(2, 115, 80)
    traces = torch.tensor([[0.0, 2.0, 3.5], [0.0, -1.0, -2.25]])
    found = {name: Extreme(*parts) for name, *parts in zip(("maximum", "minimum"), excerpts, traces)}
    figure = unit_figure("fc9", found, frontend)
    assert [panel.get_title(loc="left") for panel in panels(figure)] == ["maximum: 3.50", "minimum: -2.25"]
    for panel, excerpt in zip(panels(figure), excerpts, strict=True):
        assert np.array_equal(panel.images[0].get_array(), excerpt.numpy().T)
        low, high = panel.images[0].get_clim()
        assert -low == high == pytest.approx(float(excerpt.abs().max()))
    drawn = [axes.lines[0].get_ydata().tolist() for axes in figure.axes if axes.lines]
    assert drawn == traces.tolist()
