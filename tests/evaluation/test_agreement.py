"""Agreement with the classifier's confidence, each measure against numbers worked out by hand."""

import pytest
import torch

from svdx.evaluation.agreement import (
    Agreement,
    area_under_curve,
    average_drop,
    average_gain,
    average_increase,
    faithfulness,
)

FULL = torch.tensor([0.8, 0.5, 0.9, 1.0])
KEPT = torch.tensor([0.6, 0.75, 0.9, 1.0])
BY_HAND = {
    average_drop: [25, 0, 0, 0],  # 0.2 of 0.8
    average_increase: [0, 100, 0, 0],
    average_gain: [0, 50, 0, 0],  # 0.25 of the remaining 0.5
    faithfulness: [0.2, -0.25, 0, 0],
}


@pytest.mark.parametrize("measure", BY_HAND)
def test_by_hand(measure):
    assert measure(FULL, KEPT).tolist() == pytest.approx(BY_HAND[measure], abs=1e-5)


def test_a_probability_of_0_cannot_drop():
    assert average_drop(torch.tensor([0.0, 0.8]), torch.tensor([0.0, 0.4])).tolist() == [0, 50]


def test_the_area_under_a_curve_by_hand():
    curves = torch.tensor([[0.0, 0.5, 1.0], [1.0, 1.0, 1.0], [1.0, 0.0, 0.0]])
    assert area_under_curve(curves).tolist() == [0.5, 1, 0.25]


@pytest.mark.parametrize("sizes", [[4], [1, 3], [2, 2], [1, 1, 1, 1]], ids=str)
def test_means_at_each_threshold_do_not_depend_on_the_batches(sizes):
    agreement = Agreement(2)
    curve = torch.tensor([[0.0, 1.0]]).expand(4, 2)
    kept, removed = torch.stack([FULL, KEPT]), torch.stack([FULL, FULL - 0.5])
    parts = (values.split(sizes, dim) for values, dim in ((FULL, 0), (kept, 1), (removed, 1), (curve, 0)))
    for full, some_kept, some_removed, some_curves in zip(*parts, strict=True):
        agreement.update(full, some_kept, some_removed, insertion=some_curves, deletion=1 - some_curves)
    areas = {"insertion_auc": 0.5, "deletion_auc": 0.5}
    names = ("average_drop_percent", "average_increase_percent", "average_gain_percent", "faithfulness")
    first, second = agreement.compute()
    assert first == pytest.approx(dict.fromkeys(names, 0) | areas)
    assert second == pytest.approx(dict(zip(names, (25 / 4, 25, 50 / 4, 0.5))) | areas)
