"""Explanation loss and its interval, averages, reconstruction error and AUROC by hand."""

import math

import numpy as np
import pytest
import torch

from svdx.evaluation import metrics
from svdx.evaluation.metrics import AUROC, FEWEST, Average, ExplanationLoss, ReconstructionError
from tests.support.processes import on_two

#        track:  0  0  0  1  1  2  2  2
BEFORE = torch.tensor([1, 1, 0, 1, 0, 0, 0, 1]).bool()
AFTER = torch.tensor([0, 1, 0, 1, 1, 0, 0, 0]).bool()
TRACK = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2])

UNTOUCHED = pytest.mark.filterwarnings("ignore:.*was called before the ``update``.*")


def loss_of(before, after, track, n_tracks=3):
    loss = ExplanationLoss(n_tracks)
    loss.update(before, after, track)
    return loss.compute()


def test_counts_and_losses_by_hand():
    result = loss_of(BEFORE, AFTER, TRACK)
    assert (result["n"], result["flips"]) == (8, 3)
    assert (result["n_vocal"], result["flips_vocal"]) == (4, 2)
    assert (result["n_nonvocal"], result["flips_nonvocal"]) == (4, 1)
    assert result["explanation_loss_percent"] == 37.5
    assert result["balanced_loss_percent"] == (50 + 25) / 2


def test_the_balanced_loss_weights_classes_equally():
    before = torch.tensor([1] * 9 + [0]).bool()
    after = torch.zeros(10, dtype=torch.bool)  # the empty input: everything is called non-vocal
    result = loss_of(before, after, torch.zeros(10, dtype=torch.long))
    assert result["explanation_loss_percent"] == 90
    assert result["balanced_loss_percent"] == 50


@pytest.mark.parametrize("sizes", [[8], [1] * 8, [3, 5], [7, 1], [0, 8]])
def test_the_result_does_not_depend_on_how_excerpts_are_batched(sizes):
    loss = ExplanationLoss(3)
    for before, after, track in zip(BEFORE.split(sizes), AFTER.split(sizes), TRACK.split(sizes)):
        loss.update(before, after, track)
    assert loss.compute() == loss_of(BEFORE, AFTER, TRACK)


def test_the_result_does_not_depend_on_the_order_of_excerpts():
    order = torch.tensor([5, 0, 7, 3, 1, 6, 2, 4])
    assert loss_of(BEFORE[order], AFTER[order], TRACK[order]) == loss_of(BEFORE, AFTER, TRACK)


@pytest.mark.parametrize("label, absent, present", [(True, "nonvocal", "vocal"), (False, "vocal", "nonvocal")])
def test_the_balanced_loss_is_nan_if_a_class_is_missing(label, absent, present):
    before = torch.full((4,), label)
    result = loss_of(before, torch.tensor([not label, label, label, label]), torch.tensor([0, 0, 1, 2]))
    assert result[f"n_{absent}"] == result[f"flips_{absent}"] == 0
    assert (result[f"n_{present}"], result[f"flips_{present}"]) == (4, 1)
    assert math.isnan(result["balanced_loss_percent"])
    assert result["explanation_loss_percent"] == 25


@UNTOUCHED
def test_a_loss_over_nothing_is_nan():
    result = ExplanationLoss(2).compute()
    assert result["n"] == 0
    for key in ("explanation_loss_percent", "balanced_loss_percent", "ci_low", "ci_high", "balanced_ci_high"):
        assert math.isnan(result[key])


def many_tracks(n_tracks=12, each=20, seed=3):
    draw = np.random.default_rng(seed)
    track = np.repeat(np.arange(n_tracks), each)
    flipped = draw.random(n_tracks * each) < draw.random(n_tracks)[track]
    before = draw.random(n_tracks * each) < 0.5
    return torch.tensor(before), torch.tensor(before ^ flipped), torch.tensor(track), n_tracks


def test_the_interval_holds_the_loss_and_has_a_width():
    result = loss_of(*many_tracks())
    assert result["ci_low"] < result["explanation_loss_percent"] < result["ci_high"]
    assert result["ci_low"] >= 0 and result["ci_high"] <= 100
    assert 0 <= result["balanced_ci_low"] < result["balanced_loss_percent"] < result["balanced_ci_high"] <= 100


def intervals(result):
    return [result[name] for name in ("ci_low", "ci_high", "balanced_ci_low", "balanced_ci_high")]


@pytest.mark.parametrize("n_tracks", [1, 2, FEWEST - 1])
def test_there_is_no_interval_from_fewer_than_ten_tracks(n_tracks):
    result = loss_of(*many_tracks(n_tracks))
    assert all(map(math.isnan, intervals(result)))
    assert 0 <= result["explanation_loss_percent"] <= 100
    assert not any(map(math.isnan, intervals(loss_of(*many_tracks(FEWEST)))))


def test_there_is_no_balanced_interval_where_a_class_is_of_fewer_than_ten_tracks():
    before, after, track, n_tracks = many_tracks()
    low, high, *balanced = intervals(loss_of(before | (track > FEWEST - 2), after, track, n_tracks))
    assert low < high and all(map(math.isnan, balanced))


@pytest.fixture
def of_few(monkeypatch):
    """Intervals from any number of tracks."""
    monkeypatch.setattr(metrics, "FEWEST", 1)


@pytest.mark.usefixtures("of_few")
def test_the_interval_has_no_width_over_one_track_nor_over_tracks_that_agree():
    one = loss_of(BEFORE, AFTER, torch.zeros(8, dtype=torch.long))
    assert one["ci_low"] == one["ci_high"] == one["explanation_loss_percent"] == 37.5
    alike = loss_of(torch.ones(6).bool(), torch.tensor([1, 0, 1, 0, 1, 0]).bool(), torch.tensor([0, 0, 1, 1, 2, 2]))
    assert alike["ci_low"] == alike["ci_high"] == 50


@pytest.mark.usefixtures("of_few")
def test_the_bootstrap_resamples_tracks():
    """Two tracks of 50, one all flipped, one none: excerpts would give 50 ± 10 %, tracks give 0 to 100 %."""
    before = torch.ones(100).bool()
    after = torch.arange(100) < 50
    result = loss_of(before, after, torch.arange(100) // 50)
    assert (result["ci_low"], result["explanation_loss_percent"], result["ci_high"]) == (0, 50, 100)


@pytest.mark.usefixtures("of_few")
def test_the_balanced_interval_is_that_of_the_pooled_ones_draws():
    """Three tracks, of 3 vocal excerpts all flipped, and of 1 and 4 non-vocal ones none flipped: where both classes are
    drawn the balanced loss is 50 %; the pooled one is not."""
    before = torch.tensor([1, 1, 1, 0, 0, 0, 0, 0]).bool()
    result = loss_of(before, torch.zeros(8).bool(), torch.tensor([0, 0, 0, 1, 2, 2, 2, 2]))
    assert (result["balanced_ci_low"], result["balanced_ci_high"]) == (50, 50)
    assert (result["ci_low"], result["ci_high"]) == (0, 100)


@pytest.mark.usefixtures("of_few")
def test_the_interval_of_tracks_that_hold_as_many_of_either_class_is_the_same_for_both_losses():
    before, track = torch.tensor([1, 0] * 8).bool(), torch.arange(16) // 4
    result = loss_of(before, before ^ (torch.arange(16) % 7 < 2), track, 4)
    assert result["ci_low"] < result["ci_high"]
    assert [result["balanced_ci_low"], result["balanced_ci_high"]] == [result["ci_low"], result["ci_high"]]


def test_tracks_without_excerpts_do_not_count():
    before, after, track, n_tracks = many_tracks()
    assert loss_of(before, after, track, n_tracks + 5) == loss_of(before, after, track, n_tracks)


def test_the_interval_is_the_same_each_time_whatever_the_global_seed():
    results = []
    for seed in (1, 2):
        np.random.seed(seed)
        torch.manual_seed(seed)
        results.append(loss_of(*many_tracks()))
    assert results[0] == results[1]


def test_the_average_is_over_excerpts_and_not_over_batches():
    average = Average(2)
    average.update(torch.tensor([[1.0, 1.0, 1.0], [0.0, 0.0, 6.0]]))
    average.update(torch.tensor([[0.0], [0.0]]))
    assert average.compute() == [0.75, 1.5]


def test_an_average_is_in_double_precision_also_on_another_device():
    average = Average().to("cpu")
    for _ in range(10):
        average.update(torch.tensor([0.1]))
    assert average.compute() == float(torch.tensor(0.1))


@UNTOUCHED
def test_the_average_over_nothing_is_nan():
    assert math.isnan(Average().compute())


def test_the_reconstruction_error_by_hand():
    """Originals at 0, 3 and 6 on a line are 4 apart in the mean; reconstructions miss them by 1, 2 and 0."""
    error = ReconstructionError()
    error.update(torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 1.0]]))
    error.update(torch.tensor([[3.0, 0.0], [6.0, 0.0]]), torch.tensor([[1.0, 0.0], [6.0, 0.0]]))
    assert error.compute() == pytest.approx(1 / 4)


def test_another_excerpt_instead_of_the_original_has_an_error_of_1():
    originals = torch.randn(200, 11, 8)
    error = ReconstructionError()
    error.update(originals, originals.roll(1, 0))
    assert error.compute() == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("originals", [torch.zeros(1, 2), torch.zeros(3, 2)], ids=["one", "equal ones"])
def test_the_reconstruction_error_is_nan_without_two_different_originals(originals):
    error = ReconstructionError()
    error.update(originals, originals + 1)
    assert math.isnan(error.compute())


def test_the_mean_of_the_originals_has_an_error_of_about_07():
    originals = torch.randn(200, 11, 8)
    error = ReconstructionError()
    error.update(originals, originals.mean(0).expand_as(originals))
    assert error.compute() == pytest.approx(0.5**0.5, abs=0.02)


@pytest.mark.parametrize("sizes", [(3, 2), (5, 0), (4, None)], ids=["both", "none of a batch", "no batch"])
def test_the_reconstruction_error_is_that_of_the_originals_of_all_processes(sizes, tmp_path):
    originals, pictures = torch.randn(5, 3, 2), torch.randn(5, 3, 2)
    first, n = sizes[0], sum(filter(None, sizes))

    def compute(rank):
        error, mine = ReconstructionError(), slice(first) if rank == 0 else slice(first, n)
        if sizes[rank] is not None:
            error.update(originals[mine], pictures[mine])
        return error.compute()

    alone = ReconstructionError()
    alone.update(originals[:n], pictures[:n])
    assert on_two(compute, tmp_path) == [pytest.approx(alone.compute())] * 2


def test_the_area_under_the_roc_by_hand():
    metric = AUROC()
    metric.update(torch.tensor([0.9, 0.4, 0.4, 0.1]), torch.tensor([1, 1, 0, 0]))
    assert metric.compute() == (1 + 1 + 0.5 + 1) / 4


@pytest.mark.parametrize("label", [0, 1])
def test_the_area_under_the_roc_of_one_class_is_nan(label):
    metric = AUROC()
    metric.update(torch.tensor([0.9, 0.4]), torch.tensor([label, label]))
    assert math.isnan(metric.compute())
