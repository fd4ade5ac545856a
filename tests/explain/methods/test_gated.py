"""The gated inversion is nowhere but where there is evidence for the label."""

import pytest
import torch

from svdx.explain.masks import normalise
from svdx.explain.methods.gated import GatedInversion, smooth
from tests.support.toys import FRAMES, RECTANGLE, Planted, PlantedInverter, planted_excerpts

EXCERPTS, VOCAL = planted_excerpts()


def gated(**options):
    return GatedInversion(Planted(), PlantedInverter(), **{"frames": 1.0, "bands": 1.0, **options})


def test_gated_without_smoothing_by_hand():
    """Gradient ±1/6 times the excerpt: only what speaks for the label counts, in the rectangle only."""
    excerpts = EXCERPTS.clone()
    excerpts[:, 8, 6] *= -1
    gate = gated(frames=0.0, bands=0.0).gate(excerpts)
    sign = torch.where(VOCAL, 1.0, -1.0)[:, None, None]
    torch.testing.assert_close(gate, (sign * excerpts * RECTANGLE / 6).clamp_min(0))
    picture = gated(frames=0.0, bands=0.0).score(excerpts)
    salience = normalise(PlantedInverter()(Planted().features(excerpts)))
    torch.testing.assert_close(picture, salience * normalise(gate))
    assert (picture[:, ~RECTANGLE] == 0).all() and (picture[:, 8, 6] == 0).all()


def test_gated_reaches_no_further_than_its_gaussian():
    near = smooth(RECTANGLE[None].float(), 1.0, 1.0) > 0
    picture = gated().score(EXCERPTS)
    assert (picture[:, ~near[0]] == 0).all() and (picture[:, RECTANGLE].amax(1) > 0).all() and not near.all()


def test_evidence_is_measured_from_the_fill():
    """An excerpt that is its own fill has none."""
    flat = EXCERPTS[:2].mean(1, keepdim=True).expand(-1, FRAMES, -1)
    assert gated(fill="excerpt-mean").gate(flat).max() < 1e-6
    assert gated().gate(flat).max() > 0.01


def test_a_gaussian_keeps_the_sum_and_has_its_deviation():
    point = torch.zeros(1, 61, 41)
    point[0, 30, 20] = 1
    spread = smooth(point, 4.0, 2.0)[0]
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    for dim, centre, deviation in ((1, 30, 4.0), (0, 20, 2.0)):
        offsets = torch.arange(len(spread.sum(dim))) - centre
        assert (spread.sum(dim) * offsets**2).sum().sqrt() == pytest.approx(deviation, rel=0.03)
