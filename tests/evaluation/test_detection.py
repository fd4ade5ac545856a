"""The detection protocol of 2015: the filter, the threshold and the scores, by hand."""

import math

import pytest
import torch

from svdx.errors import CorpusError
from svdx.evaluation.detection import Detection, TunedThreshold, median_filter
from tests.support.processes import on_two


def test_the_median_of_each_window_value_by_value():
    curve = torch.rand(200, generator=torch.Generator().manual_seed(0))
    values = curve.tolist()
    held = values[:1] * 28 + values + values[-1:] * 27
    by_hand = [sorted(held[i : i + 56])[28] for i in range(200)]
    assert median_filter(curve).tolist() == pytest.approx(by_hand)


def test_a_short_track_is_filtered_too():
    assert median_filter(torch.tensor([0.2, 0.9, 0.4]), 56).tolist() == pytest.approx([0.2, 0.4, 0.4])


def test_the_filter_removes_singing_shorter_than_half_the_window():
    curve = torch.zeros(200)
    curve[80:107] = 1  # 27 frames
    assert median_filter(curve).sum() == 0
    curve[80:110] = 1
    assert median_filter(curve).sum() > 0


def test_scores_by_hand():
    """Unsmoothed, threshold 0.5: two true and one false alarm, one miss, four rightly silent."""
    detection = Detection(0.5, smoothing=1)
    detection.update(torch.tensor([0.9, 0.8, 0.7, 0.1]), torch.tensor([1, 1, 0, 1]).bool())
    detection.update(torch.tensor([0.2, 0.3, 0.4, 0.05]), torch.tensor([0, 0, 0, 0]).bool())
    scores = detection.compute()
    assert scores["accuracy"] == pytest.approx(6 / 8)
    assert scores["precision"] == scores["recall"] == pytest.approx(2 / 3)
    assert scores["specificity"] == pytest.approx(4 / 5)
    assert scores["f1"] == pytest.approx(2 / 3)
    assert scores["auroc"] == pytest.approx((5 + 5 + 1) / 15)


def test_the_threshold_is_the_lowest_of_greatest_accuracy():
    threshold = TunedThreshold(smoothing=1)
    threshold.update(torch.tensor([0.205, 0.405, 0.605, 0.805]), torch.tensor([0, 0, 1, 1]).bool())
    assert threshold.compute() == pytest.approx(0.41)


def test_tracks_are_smoothed_separately():
    one, two = torch.zeros(100), torch.ones(100)
    detection = Detection()
    detection.update(one, one.bool())
    detection.update(two, two.bool())
    assert detection.compute()["accuracy"] == 1


def test_scores_are_those_of_the_threshold():
    probability, vocal = torch.tensor([0.9, 0.6, 0.4, 0.1]), torch.tensor([1, 0, 1, 0]).bool()
    recall = []
    for threshold in (0.3, 0.7):
        detection = Detection(threshold, smoothing=1)
        detection.update(probability, vocal)
        recall.append(detection.compute()["recall"])
    assert recall == [1, 0.5]


def test_the_area_under_the_roc_of_one_class_is_nan():
    detection = Detection()
    detection.update(torch.rand(60), torch.zeros(60).bool())
    assert math.isnan(detection.compute()["auroc"])


def test_an_excerpt_stands_for_its_middle_frame(classifier):
    logmel, vocal = torch.randn(120, 80), torch.rand(120) < 0.5
    detection = Detection(smoothing=1)
    detection.update_with_track(classifier, logmel, vocal)
    excerpts = classifier.standardise(logmel).unfold(0, 115, 1).transpose(1, 2)
    probabilities, labels = detection.frames()
    assert probabilities.tolist() == pytest.approx(classifier(excerpts).tolist(), rel=1e-4)
    assert torch.equal(labels, vocal[57 : 57 + 6])


def test_short_tracks_are_ignored_unless_all_are_short(classifier):
    detection = Detection()
    detection.update_with_track(classifier, torch.randn(20, 80), torch.ones(20).bool())
    with pytest.raises(CorpusError, match="as long as an excerpt"):
        detection.compute()
    detection.update_with_track(classifier, torch.randn(115, 80), torch.ones(115).bool())
    assert detection.compute()["recall"] in (0, 1)


@pytest.mark.parametrize("n_tracks", [1, 3])
@pytest.mark.parametrize("make", [TunedThreshold, Detection])
def test_two_processes_that_share_the_tracks_give_what_one_gives(make, n_tracks, tmp_path):
    tracks = [(torch.rand(100 + i), torch.rand(100 + i) < 0.5) for i in range(n_tracks)]

    def compute(mine):
        metric = make(smoothing=5)
        for probability, vocal in mine:
            metric.update(probability, vocal)
        return metric.compute()

    both = on_two(lambda rank: compute(tracks[rank::2]), tmp_path)
    assert both == [pytest.approx(compute(tracks))] * 2
