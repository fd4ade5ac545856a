"""The detection protocol of 2015: the filter, the threshold and the scores, by hand."""

import pytest
import torch

from svdx.evaluation.detection import Detection, median_filter


def test_the_median_of_each_window_value_by_value():
    curve = torch.rand(200, generator=torch.Generator().manual_seed(0))
    values = curve.tolist()
    held = values[:1] * 28 + values + values[-1:] * 27
    by_hand = [sorted(held[i : i + 56])[28] for i in range(200)]
    assert median_filter(curve).tolist() == pytest.approx(by_hand)


def test_a_short_track_is_filtered_too():
    assert median_filter(torch.tensor([0.2, 0.9, 0.4]), 56).tolist() == pytest.approx([0.2, 0.4, 0.4])


def test_what_is_shorter_than_half_the_window_is_filtered_away():
    curve = torch.zeros(200)
    curve[80:107] = 1  # 27 frames
    assert median_filter(curve).sum() == 0
    curve[80:110] = 1
    assert median_filter(curve).sum() > 0


def test_scores_by_hand():
    """Unsmoothed, threshold 0.5: two true and one false alarm, one miss, four rightly silent."""
    detection = Detection(smoothing=1)
    detection.update(torch.tensor([0.9, 0.8, 0.7, 0.1]), torch.tensor([1, 1, 0, 1]).bool())
    detection.update(torch.tensor([0.2, 0.3, 0.4, 0.05]), torch.tensor([0, 0, 0, 0]).bool())
    scores = detection.compute(0.5)
    assert scores["accuracy"] == pytest.approx(6 / 8)
    assert scores["precision"] == scores["recall"] == pytest.approx(2 / 3)
    assert scores["specificity"] == pytest.approx(4 / 5)
    assert scores["f1"] == pytest.approx(2 / 3)
    assert scores["auroc"] == pytest.approx((5 + 5 + 1) / 15)


def test_the_threshold_is_the_lowest_of_greatest_accuracy():
    detection = Detection(smoothing=1)
    detection.update(torch.tensor([0.205, 0.405, 0.605, 0.805]), torch.tensor([0, 0, 1, 1]).bool())
    assert detection.tuned_threshold() == pytest.approx(0.41)


def test_tracks_are_smoothed_apart():
    one, two = torch.zeros(100), torch.ones(100)
    detection = Detection()
    detection.update(one, one.bool())
    detection.update(two, two.bool())
    assert detection.compute(0.5)["accuracy"] == 1
