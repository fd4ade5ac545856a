"""Optimised inversion on a classifier whose features are known."""

import torch

from svdx.explanation.methods.optimised import OptimisedInversion, total_variation
from tests.support.toys import BANDS, FRAMES, RECTANGLE, Planted, planted_excerpts

EXCERPTS, _ = planted_excerpts()
FREE = dict(bound=1e9, slope=1e9)  # as good as no regulariser


def optimised(**options):
    return OptimisedInversion(Planted(), **options)


def test_without_regularisers_only_the_rectangle_is_recovered():
    score = optimised(steps=200, **FREE).score(EXCERPTS)
    torch.testing.assert_close(score, EXCERPTS * RECTANGLE, atol=0.02, rtol=0)
    assert score[:, ~RECTANGLE].abs().max() < 1e-3


def test_smaller_slope_is_smoother_and_smaller_bound_is_smaller():
    rough, smoother = (optimised(**{**FREE, "slope": slope}).score(EXCERPTS) for slope in (1e9, 0.3))
    assert (total_variation(smoother) < 0.7 * total_variation(rough)).all()
    low = optimised(**{**FREE, "bound": 0.5}).score(EXCERPTS)
    assert low.abs().max() < 0.8 < rough.abs().max()


def test_cost_by_hand():
    """An input of ones: error Σ (1 − f)² / Σ f², size 1 / 2⁶, and no variation."""
    explainer = optimised(bound=2.0)
    features = torch.full((1, 48), -1.0)
    torch.testing.assert_close(explainer.cost(torch.ones(1, FRAMES, BANDS), features), torch.tensor([4 + 1 / 64]))
