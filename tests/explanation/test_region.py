"""Where the kept energy lies: ranges worked out by hand, and the words for them."""

import numpy as np
import pytest

from svdx.explanation.region import Region, kept_energy, region, shortest_run, voice_bins, voice_share

EDGES = np.array([100.0, 200, 400, 800, 1600])  # four bands
RATE = 10.0  # frames a second


def logmel(magnitudes):
    return np.log(np.maximum(np.array(magnitudes, float), 1e-7))


@pytest.mark.parametrize(
    "energy, run",
    [
        ([0, 8, 1, 1], (1, 2)),  # exactly 80 %
        ([0, 7, 1, 2], (1, 3)),
        ([2, 7, 1, 0], (0, 2)),  # of two runs of equal length the fuller one
        ([1, 8, 0, 8, 1], (1, 4)),
        ([4, 4, 1, 1], (0, 2)),
        ([1, 1, 1, 1], (0, 4)),
        ([5], (0, 1)),
    ],
)
def test_the_shortest_run_that_holds_most(energy, run):
    found = shortest_run(np.array(energy, float))
    assert (found.start, found.stop) == run


def test_of_equal_runs_the_first():
    assert shortest_run(np.array([5.0, 0, 5]), most=0.5) == slice(0, 1)


def test_energy_is_the_squared_magnitude_of_kept_bins():
    energy = kept_energy(logmel([[2, 3], [4, 5]]), np.array([[True, False], [False, True]]))
    np.testing.assert_allclose(energy, [[4, 0], [0, 25]])


def test_region_by_hand():
    magnitudes = np.zeros((10, 4))
    magnitudes[:3, 1] = 2  # 12 of the 13 kept, in the band from 200 to 400 Hz
    magnitudes[7, 3] = 1
    magnitudes[:, 0] = 100  # removed
    mask = np.ones((10, 4), bool)
    mask[:, 0] = False
    found = region(logmel(magnitudes), mask, EDGES, RATE)
    assert found == Region(200, 400, 0.0, 0.3, 1.0)
    assert str(found) == "mostly 200–400 Hz, first 0.3 s"


def test_an_empty_mask_has_no_region():
    assert region(np.zeros((3, 4)), np.zeros((3, 4), bool), EDGES, RATE) is None


@pytest.mark.parametrize(
    "start, end, words",
    [
        (0, 1, "first 1.0 s"),
        (0.64, 1.64, "last 1.0 s"),
        (0, 1.64, "throughout"),
        (0.3, 1.24, "0.3–1.2 s"),
        (0.014, 1.29, "first 1.3 s"),  # not 0.0–1.3 s
        (0.33, 1.63, "last 1.3 s"),
        (0.04, 1.61, "throughout"),
        (0.29, 0.31, "about 0.3 s"),
        (0, 0.014, "about 0.0 s"),
    ],
)
def test_times_in_words(start, end, words):
    assert str(Region(27.5, 7950.0, start, end, 1.64)) == f"mostly 28–8000 Hz, {words}"


@pytest.mark.parametrize(
    "start, end, words",
    [
        (0.4, 62.8, "first 1:03"),
        (181.4, 200.0, "last 0:19"),
        (0.3, 199.8, "throughout"),
        (12.2, 142.7, "0:12–2:23"),
        (71.8, 72.3, "about 1:12"),
    ],
)
def test_times_of_a_minute_and_more_are_as_on_the_pages_axis(start, end, words):
    assert str(Region(27.5, 7950.0, start, end, 200.0)) == f"mostly 28–8000 Hz, {words}"


def test_voice_bins_are_those_where_it_is_louder():
    assert voice_bins(np.array([[1.0, 2.0, 3.0]]), np.array([[2.0, 2.0, 2.0]])).tolist() == [[False, False, True]]


def test_the_voices_share_of_the_kept_energy():
    voice, other = logmel([[3, 1], [0, 7]]), logmel([[1, 3], [1, 7]])
    assert voice_share(voice, other, np.array([[1, 0], [0, 0]])) == pytest.approx(0.9)
    assert voice_share(voice, other, np.array([[1, 1], [0, 0]])) == pytest.approx(0.5)
    assert np.isnan(voice_share(voice, other, np.zeros((2, 2))))
