"""Figures hold the numbers they are given, on axes in seconds and Hz, and are never saved."""

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from svdx.explanation import Explanation, TrackExplanation
from svdx.explanation.maximisation import Extreme
from svdx.report.figures import explanation_figure, track_figure, unit_figure
from svdx.report.page_data import FREQUENCIES


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
        assert len(positions) == len(FREQUENCIES) and (np.diff(positions) > 0).all()
        assert positions[-1] == 79  # 8 kHz is the upper end of the last band, whose centre is at 7.7 kHz
        for hz, position in zip(FREQUENCIES[:-1], positions):
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


def test_a_figure_is_not_kept_open_by_pyplot(figure):
    import matplotlib.pyplot as plt

    assert isinstance(figure, Figure) and plt.get_fignums() == []


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
