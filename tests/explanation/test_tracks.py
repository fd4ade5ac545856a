"""A whole track's explanation: the merged map worked out by hand, over a classifier that says what it sees."""

import numpy as np
import pytest
import torch
from torch import nn

from svdx.explanation import Explainer, FeatureInversion, TrackExplanation
from svdx.explanation.tracks import at, excerpt_starts, explain_track, merging_window, probabilities
from svdx.models import UpConv


class Loud(nn.Module):
    """p = the mean of an excerpt of 4 frames; its feature is that mean."""

    def features_at(self, track, starts):
        return torch.stack([track[start : start + 4].mean()[None] for start in starts])

    def decide(self, features):
        return features[:, 0]

    def forward(self, excerpts):
        return excerpts.mean((1, 2))


class Itself(Explainer):
    """The picture of an excerpt is the excerpt."""

    name = "itself"

    def score(self, excerpts):
        return excerpts


def test_starts_cover_the_track_and_the_last_excerpt_ends_with_it():
    assert excerpt_starts(4, 4, 2).tolist() == [0]
    assert excerpt_starts(5, 4, 2).tolist() == [0, 1]
    assert excerpt_starts(9, 4, 2).tolist() == [0, 2, 4, 5]
    assert excerpt_starts(8, 4, 4).tolist() == [0, 4]


def test_weights_by_hand():
    torch.testing.assert_close(merging_window(2), torch.tensor([0.5, 0.5]))
    low, high = np.sin(np.pi / 8) ** 2, np.sin(3 * np.pi / 8) ** 2
    torch.testing.assert_close(merging_window(4).double(), torch.tensor([low, high, high, low]), atol=1e-6, rtol=0)
    assert merging_window(115).min() > 0 and merging_window(115).argmax() == 57


def test_the_merged_map_by_hand():
    track = torch.tensor([0.0, 1, 0, 0, 0, 0.5])[:, None]
    explainer = Itself(Loud(), threshold=0.6)
    found = explain_track(explainer, track, length=4, hop=2)
    assert found.starts.tolist() == [0, 2]
    # the first excerpt's salience is 0 1 0 0, the second's 0 0 0 1: none of the shared frames 2 and 3 is salient
    assert found.salience[:, 0].tolist() == [0, 1, 0, 0, 0, 1]
    assert found.mask[:, 0].tolist() == [False, True, False, False, False, True]
    assert found.masked[:, 0].tolist() == [0, 1, 0, 0, 0, 0.5]
    assert found.probability.tolist() == found.masked_probability.tolist() == [0.25, 0.125]
    assert found.area == pytest.approx(1 / 3)
    assert not found.flipped.any()


def test_a_bin_of_two_excerpts_is_the_mean_by_their_weights():
    track = torch.tensor([0.0, 0, 0, 1, 2, 0])[:, None]
    low, high = np.sin(np.pi / 8) ** 2, np.sin(3 * np.pi / 8) ** 2
    salience = explain_track(Itself(Loud()), track, length=4, hop=2).salience[:, 0]
    assert salience[3] == pytest.approx((low * 1 + high * 0.5) / (low + high))
    assert salience[4] == 1


@pytest.mark.parametrize("threshold, kept", [(0.0, 6), (1.1, 0)])
def test_threshold_0_keeps_all_and_1_1_nothing(threshold, kept):
    explainer = Itself(Loud())
    found = at(explainer, explain_track(explainer, torch.rand(6, 1), 4, 2), threshold)
    assert int(found.mask.sum()) == kept
    if threshold == 0:
        assert torch.equal(found.masked, found.track) and torch.equal(found.probability, found.masked_probability)
    else:
        assert not found.masked.any()


def test_a_flip_is_a_change_of_label():
    bins = torch.zeros(4, 1)
    before, after = torch.tensor([0.6, 0.6, 0.4, 0.5]), torch.tensor([0.6, 0.5, 0.6, 0.4])
    found = TrackExplanation(bins, torch.arange(4), bins, bins.bool(), bins, before, after, 0.5, 0.6)
    assert found.vocal.tolist() == [True, True, False, False]
    assert found.flipped.tolist() == [False, True, True, False]
    assert set(found.arrays()) >= {"track", "starts", "salience", "mask"}


def test_a_track_of_one_excerpt_is_explained_as_the_excerpt(classifier):
    explainer = FeatureInversion(classifier, UpConv(8).eval(), threshold=0.5)
    excerpt = torch.randn(1, 115, 80)
    alone, track = explainer(excerpt), explain_track(explainer, excerpt[0], 115, 57)
    torch.testing.assert_close(track.salience, alone.salience[0])
    torch.testing.assert_close(track.masked_probability, alone.masked_probability, atol=1e-4, rtol=0)


def test_probabilities_are_those_of_the_excerpts(classifier):
    track, starts = torch.randn(150, 80), torch.tensor([0, 13, 35])
    alone = classifier(torch.stack([track[start : start + 115] for start in starts]))
    torch.testing.assert_close(probabilities(classifier, track, starts), alone, atol=1e-5, rtol=0)
