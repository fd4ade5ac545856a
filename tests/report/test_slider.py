"""The slider over areas keeps at each position the bins that the cut of that area keeps, in one byte a bin."""

import numpy as np
import pytest
import torch

from svdx.errors import ConfigError
from svdx.explanation import Area
from svdx.explanation.masks import normalise
from svdx.report.slider import AREAS, THRESHOLDS


def test_areas_are_fine_where_they_are_small_and_reach_from_nothing_to_all():
    steps = AREAS.steps([])
    assert (steps[0], steps[-1]) == (0, 1)
    assert np.diff(steps)[:100] == pytest.approx(0.001) and np.diff(steps)[100:] == pytest.approx(0.01)
    assert {0.01, 0.02, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.7} <= set(steps.tolist())  # to the last digit
    assert 0.1234 in AREAS.steps([0.1234, 0.1]) and len(AREAS.steps([0.1234, 0.1])) == len(steps) + 1


@pytest.mark.parametrize("shape", [(115, 80), (7, 5)])
@pytest.mark.parametrize("ties", [False, True])
def test_the_levels_are_the_masks_of_the_areas_ties_and_all(shape, ties):
    salience = normalise(torch.rand(1, *shape, generator=torch.Generator().manual_seed(0)) ** 4)
    if ties:
        salience = normalise(salience.round(decimals=1))
    steps = AREAS.steps([0.0004, 1 / 3, float(np.float32(0.123))])
    levels = AREAS.levels(salience[0].numpy(), steps)
    assert levels.dtype == np.uint8 and levels.shape == shape
    for number, step in enumerate(steps.tolist()):
        assert np.array_equal(levels <= number, Area(step)(None, None, salience).salient[0].numpy()), step


def test_a_constant_salience_is_kept_completely_or_not_at_all():
    levels = AREAS.levels(np.zeros((4, 5), np.float32), AREAS.steps([]))
    assert (levels == len(AREAS.steps([])) - 1).all()


def test_positions_are_written_as_people_write_them():
    assert [AREAS.text(area) for area in (0, 0.001, 0.07, 0.1, 0.123456, 1)] == [
        *("0 %", "0.1 %", "7 %", "10 %", "12.35 %", "100 %")
    ]
    assert [THRESHOLDS.text(threshold) for threshold in (0.0, np.float32(0.6), 0.35)] == ["0", "0.6", "0.35"]


def test_too_many_areas_are_refused():
    between = [0.2 + 0.0001 * i for i in range(1, 67)]
    assert len(AREAS.steps(between[:65])) == 256
    with pytest.raises(ConfigError, match=r"^areas: 66 of them, explainer.area counted, lie between the positions of"):
        AREAS.steps(between)
