"""Sanity checks on a classifier whose answer is known."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from svdx.comparison.bench import balanced_sample
from svdx.comparison.results import Results, rows
from svdx.comparison.sanity import Sanity, best_iou, randomised, spearman
from tests.comparison.test_bench import Data, N, bench
from tests.comparison.test_bench import classifier as planted
from tests.support.toys import BANDS, FRAMES


@pytest.fixture(scope="module")
def study():
    return bench()(Data())


def test_only_methods_that_use_the_classifier_change_when_it_is_shuffled(study):
    same, few = study.methods["random"], balanced_sample(study.vocal, 3)
    assert np.nanmean(same["randomised_spearman/fc9"]) == pytest.approx(1)
    assert np.nanmean(same["randomised_iou/fc9"]) == 1
    assert (study.methods["inversion"]["deterministic"][few] == 1).all()
    assert np.isnan(study.methods["inversion"]["deterministic"]).sum() == N - 3
    changed = study.methods["gradient"]["randomised_spearman/fc9"]  # all alike in the rectangle before, not afterwards
    assert (changed[:, few] < 0.999).all()


def test_stability_under_noise_is_high_for_inversion_and_zero_for_random_bins(study):
    assert np.nanmin(study.methods["inversion"]["stability"]) > 0.9
    assert abs(np.nanmean(study.methods["random"]["stability"])) < 0.2


def test_cascade_shuffles_a_copy_from_the_output_down(classifier):
    before = copy.deepcopy(classifier.state_dict())
    other = randomised(classifier, "fc7", seed=0)
    after = other.state_dict()
    changed = {name for name, value in after.items() if not torch.equal(value, before[name])}
    assert {name.partition(".")[0] for name in changed} == {"fc7", "fc8", "fc9"}
    assert all(torch.equal(after[name].flatten().sort()[0], before[name].flatten().sort()[0]) for name in changed)
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert not other.training and not any(parameter.requires_grad for parameter in other.parameters())
    again = randomised(classifier, "fc7", seed=0)
    assert all(torch.equal(value, after[name]) for name, value in again.state_dict().items())
    assert torch.equal(randomised(classifier, "fc9", seed=0).fc9.weight, other.fc9.weight)
    assert not torch.equal(randomised(classifier, "fc7", seed=0, draw=1).fc7.weight, other.fc7.weight)


def test_every_draw_is_recorded_and_its_mean_and_range_reported(study):
    some = copy.copy(study)
    drawn = np.full((3, N), np.nan)
    drawn[:, 0], drawn[:, 2] = [-1, 0.5, 0], [1, np.nan, -0.5]
    assert study.methods["gradient"]["randomised_spearman/fc9"].shape == drawn.shape
    assert np.unique(study.methods["gradient"]["randomised_spearman/fc9"][:, 0]).size == 3
    some.methods = {**study.methods, "gradient": {**study.methods["gradient"], "randomised_spearman/fc9": drawn}}
    results = Results(rows(some, 20))
    value = {name: results.row("gradient", f"randomised_{name}/fc9") for name in ("spearman", "abs_spearman")}
    assert value["spearman"]["value"] == pytest.approx((-0.5 / 3 + 0.25) / 2)
    assert value["abs_spearman"]["value"] == pytest.approx((0.5 + 0.75) / 2)  # a turned sign is no difference
    assert results.value("gradient", "randomised_abs_spearman_range/fc9") == 1
    assert value["spearman"]["n"] == 2


def test_inverters_are_retrained_for_the_shuffled_and_the_true_classifier():
    trained = []

    class Flat(nn.Module):
        def forward(self, features):
            return torch.arange(384.0).view(1, FRAMES, BANDS).expand(len(features), FRAMES, BANDS)

    def train(network):
        trained.append(network)
        return Flat()

    found = bench(sanity=Sanity(["fc9"], n=2))(Data(), train=train)
    true, shuffled = (torch.equal(network.fc9.weight, planted().fc9.weight) for network in trained)
    assert true and not shuffled
    assert "retrained_spearman/fc9" not in found.methods["gradient"]
    fixed, own = (found.methods["inversion"][f"{kind}_spearman/fc9"][0, 0] for kind in ("randomised", "retrained"))
    assert fixed == pytest.approx(1)  # the features come before fc9
    assert own == pytest.approx(1)  # the same inverter for both, unlike the one that the method has


def test_rank_correlation_by_hand():
    one = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    assert spearman(one, -one).item() == pytest.approx(-1)
    assert spearman(one, one**3).item() == pytest.approx(1)
    assert spearman(one, torch.tensor([[[1.0, 2.0], [4.0, 3.0]]])).item() == pytest.approx(0.8)  # 1 - 6·2/(4·15)


def test_constant_explanations_have_no_similarity_and_do_not_count(study):
    one = torch.tensor([[[1.0, 2.0], [3.0, 4.0]]])
    for nothing in (torch.ones(1, 2, 2), torch.full((1, 2, 2), torch.nan), one.where(one > 1, torch.nan)):
        for pair in ((one, nothing), (nothing, one)):
            assert np.isnan(spearman(*pair)).all() and np.isnan(best_iou(*pair, 0.25)).all()
    assert best_iou(one, one, 0.25).item() == 1 and best_iou(one, -one, 0.5).item() == 0
    some, flat = copy.copy(study), study.methods["gradient"]["randomised_iou/fc9"].copy()
    flat[:, 0] = np.nan
    some.methods = {**study.methods, "gradient": {**study.methods["gradient"], "randomised_iou/fc9": flat}}
    results = Results(rows(some, 20))
    assert [results.row(name, "randomised_iou/fc9")["n"] for name in ("gradient", "random")] == [2, 3]


def test_balanced_sample_alternates_between_the_classes():
    vocal = np.arange(48) >= 40
    few = balanced_sample(vocal, 8)
    assert vocal[few].sum() == 4 and len(set(few)) == 8 and few.tolist() == sorted(few)
    assert np.diff(few).max() < 24  # still spread
    rare = np.arange(48) >= 46
    assert rare[balanced_sample(rare, 8)].sum() == 2
    assert balanced_sample(np.ones(48, bool), 4).tolist() == [0, 15, 31, 47]
    assert balanced_sample(vocal[:3], 8).tolist() == [0, 1, 2]


def test_overlap_ranks_equal_scores_at_random():
    """Half of the bins are equally good in both: their best tenth is the same random one."""
    half = (torch.arange(FRAMES) < FRAMES // 2)[:, None].expand(1, FRAMES, BANDS).float()
    early = torch.arange(FRAMES * BANDS).flip(0).view(1, FRAMES, BANDS).float()
    assert best_iou(half, half, 0.1).item() == 1 and best_iou(half, early, 0.1).item() < 0.3
