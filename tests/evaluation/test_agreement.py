"""Soft agreement, each metric against numbers worked out by hand, in one batch or in several."""

import math

import pytest
import torch

from svdx.evaluation.agreement import (
    Agreement,
    AreaUnderCurve,
    AverageDrop,
    AverageGain,
    AverageIncrease,
    Faithfulness,
)

WHOLE = torch.tensor([0.8, 0.5, 0.9, 1.0])
KEPT = torch.tensor([0.6, 0.75, 0.9, 1.0])
BY_HAND = {
    AverageDrop: (25 + 0 + 0 + 0) / 4,  # 0.2 of 0.8
    AverageIncrease: 25,  # the second alone
    AverageGain: (0 + 50 + 0 + 0) / 4,  # 0.25 of the 0.5 that were left
    Faithfulness: (0.2 - 0.25 + 0 + 0) / 4,
}


@pytest.mark.parametrize("sizes", [[4], [1, 3], [2, 2], [1, 1, 1, 1]], ids=str)
@pytest.mark.parametrize("kind", BY_HAND)
def test_by_hand(kind, sizes):
    metric = kind()
    for whole, kept in zip(WHOLE.split(sizes), KEPT.split(sizes)):
        metric.update(whole, kept)
    assert metric.compute() == pytest.approx(BY_HAND[kind], abs=1e-6)


def test_of_a_probability_of_0_nothing_is_lost():
    drop = AverageDrop()
    drop.update(torch.tensor([0.0, 0.8]), torch.tensor([0.0, 0.4]))
    assert drop.compute() == pytest.approx(50 / 2)


def test_nothing_has_no_average():
    assert math.isnan(AverageDrop().compute())


def test_the_area_under_a_curve_by_hand():
    metric = AreaUnderCurve()
    metric.update(torch.tensor([[0.0, 0.5, 1.0], [1.0, 1.0, 1.0]]))  # 0.5 and 1
    metric.update(torch.tensor([[1.0, 0.0, 0.0]]))  # 0.25
    assert metric.compute() == pytest.approx((0.5 + 1 + 0.25) / 3)


def test_all_of_them_at_each_threshold():
    agreement = Agreement(2)
    curve = torch.tensor([[0.0, 1.0]]).expand(4, 2)
    kept, removed = torch.stack([WHOLE, KEPT]), torch.stack([WHOLE, WHOLE - 0.5])
    agreement.update(WHOLE, kept, removed, insertion=curve, deletion=1 - curve)
    first, second = agreement.compute()
    assert first == pytest.approx(
        {
            "average_drop_percent": 0,
            "average_increase_percent": 0,
            "average_gain_percent": 0,
            "faithfulness": 0,
            "insertion_auc": 0.5,
            "deletion_auc": 0.5,
        }
    )
    assert second["average_drop_percent"] == pytest.approx(BY_HAND[AverageDrop])
    assert second["average_gain_percent"] == pytest.approx(BY_HAND[AverageGain])
    assert second["faithfulness"] == pytest.approx(0.5)
