"""SLIME as in the authors' program, and the segments that it shares with Kernel SHAP."""

import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.metrics import pairwise_distances

from svdx.explanation.methods.blocks import KernelShap, Slime, block_numbers, proximity, shown_blocks
from svdx.explanation.seeding import excerpt_seed
from tests.support.methods import alike, scores, small_network
from tests.support.toys import Planted, planted_excerpts

PLANTED, _ = planted_excerpts(3)


def test_slime_weights_equal_those_of_the_authors_program():
    shown = torch.randint(2, (20, 24)).float()
    distances = pairwise_distances(shown, torch.ones(1, 24), metric="cosine")[:, 0]
    expected = [(2.718281828 ** -((d / 0.25) ** 2)) ** 0.5 for d in distances]
    assert [proximity(row[None], 0.25) for row in shown] == pytest.approx(expected, abs=1e-5)
    assert proximity(torch.zeros(1, 24), 0.25) == pytest.approx(2.718281828**-8)


def test_slime_is_a_weighted_ridge_regression_on_the_shown_blocks():
    network, excerpts = small_network()
    excerpt, grid = excerpts[0], block_numbers(28, 28, 6, 4)
    torch.manual_seed(excerpt_seed(excerpt, 0))
    draws = shown_blocks(excerpt, num_interp_features=24)
    shown = torch.cat([next(draws) for _ in range(100)])
    assert shown[0].all() and 0.4 < shown.float().mean() < 0.6
    evidence = network.logits(excerpt * shown[:, grid]) * (1 if network(excerpt[None]) > 0.5 else -1)
    weights = [proximity(row[None], 0.25) for row in shown]
    fitted = Ridge(alpha=1).fit(shown.numpy(), evidence.numpy(), weights)
    expected = torch.tensor(fitted.coef_, dtype=torch.float32)[grid]
    assert alike(scores(Slime, network, excerpts[:1])[0], expected)


@pytest.mark.parametrize("kind", [Slime, KernelShap])
def test_time_slices_and_frequency_bands(kind):
    temporal = kind(Planted(), segments="temporal", samples=50)
    spectral = kind(Planted(), segments="spectral", samples=50)
    assert (temporal.name, spectral.name) == (f"{kind.name}_temporal", f"{kind.name}_spectral")
    slices, bands = (explainer.score(PLANTED)[0] for explainer in (temporal, spectral))
    assert len(slices[:, 0].unique()) == 6 and torch.equal(slices, slices[:, :1].expand(24, 16))
    assert len(bands[0].unique()) == 4 and torch.equal(bands, bands[:1].expand(24, 16))
