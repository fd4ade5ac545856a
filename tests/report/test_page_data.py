"""What the browser unpacks: one byte a bin that says at which thresholds it is kept, colours, axes."""

import base64

import numpy as np
import pytest
import torch

from svdx.errors import ConfigError
from svdx.explanation.masks import threshold_mask
from svdx.report import page_data as canvas
from svdx.report.slider import THRESHOLDS

CURVE = [i / 10 for i in range(12)]


def test_the_slider_has_every_hundredth_and_what_is_given():
    assert len(THRESHOLDS.steps(CURVE)) == 111
    steps = THRESHOLDS.steps([0.333])
    assert len(steps) == 112 and np.float32(0.333) in steps
    assert (np.diff(steps) > 0).all()


def test_levels_are_the_masks_of_every_step_even_where_the_salience_equals_a_threshold():
    edges = torch.tensor(CURVE[:11]).repeat(3, 1).T.flatten()
    salience = torch.cat([torch.rand(500), edges, torch.nextafter(edges, torch.tensor(0.0)).clamp_min(0)])[None, None]
    steps = THRESHOLDS.steps([*CURVE, 0.377])
    levels = THRESHOLDS.levels(salience.numpy(), steps)
    assert levels.dtype == np.uint8 and levels.shape == salience.shape
    for number, step in enumerate(steps):
        assert np.array_equal(levels >= number, threshold_mask(salience, float(f"{step:g}")).numpy()), step


def test_the_sliders_positions_fit_a_byte():
    between = [i / 100 + 0.005 for i in range(110)] + [i / 100 + 0.002 for i in range(36)]
    assert len(THRESHOLDS.steps([*between[:145], *between[:3], *CURVE])) == 256
    with pytest.raises(ConfigError, match=r"^thresholds: 146 of them, .* it takes 145 such at most$"):
        THRESHOLDS.steps([*between, 0.6])


def test_shades_run_from_the_first_to_the_99th_percentile():
    shades = canvas.shades(np.arange(101.0))
    assert (shades[0], shades[1], shades[50], shades[99], shades[100]) == (0, 0, 128, 255, 255)
    assert canvas.shades(np.zeros((2, 2))).tolist() == [[0, 0], [0, 0]]


def test_colours_go_from_black_to_nearly_white():
    colours = canvas.colours()
    assert colours.shape == (256, 3) and colours.dtype == np.uint8
    assert colours[0].max() < 10 and colours[255].min() > 180


def test_packed_bytes_unpack_in_row_order():
    array = np.arange(6, dtype=np.uint8).reshape(2, 3).T
    assert list(base64.b64decode(canvas.packed(array))) == [0, 3, 1, 4, 2, 5]


def test_frequencies_stand_at_the_height_of_their_band(frontend):
    marks = dict(canvas.frequency_marks(frontend))
    assert list(marks) == ["100", "200", "500", "1000", "2000", "4000"]
    centres = frontend.band_frequencies().numpy()
    band = int(np.abs(centres - 1000).argmin())
    assert marks["1000"] == pytest.approx(100 * (80 - band - 0.5) / 80, abs=1.0)


@pytest.mark.parametrize("seconds", [1.643, 9, 30, 59, 61, 240, 3599, 7200])
def test_marks_of_seconds_are_few_and_inside(seconds):
    marks = canvas.second_marks(seconds)
    assert 3 <= len(marks) <= 11
    assert marks[0][1] == 0 and 0 < 100 - marks[-1][1] <= marks[1][1] + 0.01
    assert len(marks) <= len(canvas.second_marks(seconds, 80)) <= 81
