"""Extremal masks lie where the classifier listens, have the requested area, and are smooth."""

import pytest
import torch

from svdx.explanation.masks import largest_mask
from svdx.explanation.methods.extremal import ExtremalMask, area_cost, kernel, paint
from tests.support.toys import BANDS, FRAMES, RECTANGLE, Planted, planted_excerpts

EXCERPTS, _ = planted_excerpts()


def extremal(**options):
    return ExtremalMask(Planted(), **{"areas": [0.06, 0.125, 0.25], "stride": 2, **options})


def overlap(mask):
    """Share of the rectangle that a mask keeps, [B]."""
    return mask[:, RECTANGLE].float().mean(1)


def best(score):
    """The 48 bins of greatest score, as many as the rectangle has."""
    return largest_mask(score, torch.full((len(score),), int(RECTANGLE.sum())))


def test_extremal_masks_lie_on_the_rectangle():
    score = extremal().score(EXCERPTS)
    assert (overlap(best(score)) > 0.75).all()  # the corners of a smooth mask are round
    assert (overlap(largest_mask(score, torch.full((6,), 24))) == 0.5).all()  # the best half lies inside


def test_an_extremal_mask_has_its_area():
    for area in (0.06, 0.25):
        mask = extremal(areas=[area], steps=40).score(EXCERPTS)
        assert ((mask >= 0) & (mask <= 1)).all()
        torch.testing.assert_close(mask.mean((1, 2)), torch.full((6,), area), atol=0.07, rtol=0)


def test_extremal_masks_depend_on_the_fill():
    """Silence, −1 here, is not singing: bins above it are evidence for singing even below the mean."""
    classifier = Planted()
    excerpts = torch.full((1, FRAMES, BANDS), -0.2)
    classifier.threshold = 0.1  # log-odds −1.6 are singing
    classifier.mean, classifier.std = torch.zeros(BANDS), torch.full((BANDS,), 1.0)
    options = dict(areas=[0.125], stride=2, fill="floor", floor=0.3678794)
    assert overlap(best(ExtremalMask(classifier, **options).score(excerpts))) > 0.75
    assert overlap(best(ExtremalMask(classifier, **{**options, "fill": "mean"}).score(excerpts))) < 0.25


def test_painted_cell_follows_the_papers_profile():
    mask = paint(torch.eye(5)[2].outer(torch.eye(4)[1])[None], 25, 20)[0]
    assert mask.shape == (25, 20)
    assert mask[12, 7] > 0.99 and mask.max() <= 1
    assert (mask[12:, 7].diff() <= 0).all() and (mask[:13, 7].diff() >= 0).all() and (mask[12, 7:].diff() <= 0).all()
    assert (paint(torch.ones(1, 5, 4), 25, 20) > 0.9).all() and (paint(torch.zeros(1, 5, 4), 25, 20) == 0).all()
    torch.testing.assert_close(kernel(25, 5)[12], torch.exp(-torch.tensor([1.0, 0, 0, 0, 1]) / 4))


def test_area_cost_compares_the_sorted_mask():
    mask = (torch.arange(40.0).view(1, 5, 8) % 4 == 0).float()
    assert area_cost(mask, 0.25) == 0 and area_cost(mask, 0.5) == pytest.approx(0.25)
