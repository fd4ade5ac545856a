"""What a unit answers to most: of a linear unit the answer is known, and of the classifier it is its extremes."""

from functools import partial

import numpy as np
import pytest
import torch

from svdx.errors import ConfigError
from svdx.explanation.maximisation import check_unit, extremes, maximise, unit_of
from svdx.explanation.methods.optimised import total_variation
from svdx.report.files import write_unit
from tests.support.toys import BANDS, FRAMES, RECTANGLE, Planted

GENERATOR = torch.Generator().manual_seed(0)
WEIGHT = torch.randn(6, 5, generator=GENERATOR)
START = torch.zeros(6, 5)


def linear(excerpts):
    return (WEIGHT * excerpts).flatten(1).sum(1)


def closely(**options):
    return maximise(linear, START, **{"bound": 1e3, "steps": 1500, "rate": 0.3, **options})


def test_a_linear_units_maximiser_under_the_l2_penalty_is_its_weights_direction():
    """w / s = 2 l2 x / n, where s = Σ |w|."""
    found = closely(l2=0.5, variation=0)
    torch.testing.assert_close(found.excerpt, WEIGHT * 30 / WEIGHT.abs().sum(), atol=1e-3, rtol=0)
    assert found.activation == pytest.approx(float((WEIGHT * found.excerpt).sum()))


def test_total_variation_makes_it_that_of_the_linear_equation():
    """w / s = (2 l2 + variation L / 2) x / n, where L is the Laplacian of the grid."""
    ends = torch.tensor([1.0, -1.0])
    along = [torch.zeros(size - 1, size) for size in (6, 5)]
    for matrix in along:
        for row in range(len(matrix)):
            matrix[row, row : row + 2] = ends
    time, bands = (matrix.T @ matrix for matrix in along)
    laplacian = torch.kron(time, torch.eye(5)) + torch.kron(torch.eye(6), bands)
    system = (2 * 0.5 * torch.eye(30) + 3.0 / 2 * laplacian) / 30
    expected = torch.linalg.solve(system, WEIGHT.flatten() / WEIGHT.abs().sum()).view(6, 5)
    found = closely(l2=0.5, variation=3.0).excerpt
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)

    def roughness(excerpt):
        return total_variation(excerpt[None])[0] / excerpt.square().mean()

    assert roughness(found) < 0.5 * roughness(closely(l2=0.5, variation=0).excerpt)


def test_white_noise_has_a_total_variation_of_four_times_its_variance():
    noise = 2 * torch.randn(1, 500, 500, generator=GENERATOR)
    assert float(total_variation(noise)[0]) == pytest.approx(16, rel=0.02)


def test_the_penalties_suit_units_of_any_scale():
    ten = maximise(lambda excerpts: 10 * linear(excerpts), START)
    one = maximise(linear, START)
    torch.testing.assert_close(ten.excerpt, one.excerpt, atol=1e-3, rtol=0)


def test_the_bound_is_kept_and_reached_where_nothing_is_penalised():
    found = maximise(linear, START, l2=0, variation=0, bound=0.7)
    torch.testing.assert_close(found.excerpt, 0.7 * WEIGHT.sign())


def test_the_trace_begins_at_the_start_and_ends_at_what_was_found():
    found = maximise(linear, START, noise=0, steps=20)
    assert len(found.trace) == 21
    assert found.trace[0] == 0
    assert found.trace[-1] == found.activation == linear(found.excerpt[None])[0]


def test_the_same_seed_gives_the_same_even_where_gradients_are_off():
    with torch.inference_mode():
        one = maximise(linear, START, steps=3, seed=4)
    again, other = (maximise(linear, START, steps=3, seed=seed) for seed in (4, 5))
    assert torch.equal(one.excerpt, again.excerpt)
    assert not torch.equal(one.excerpt, other.excerpt)


def test_the_extremes_of_the_output_are_where_the_classifier_listens():
    classifier = Planted()
    classifier.frames, classifier.bands = FRAMES, BANDS
    found = extremes(classifier, "fc9", partial(maximise, variation=0, noise=0))
    assert list(found) == ["maximum", "minimum"]
    torch.testing.assert_close(found["minimum"].excerpt, -found["maximum"].excerpt)
    assert found["maximum"].activation == -found["minimum"].activation > 7
    assert (found["maximum"].excerpt[RECTANGLE] > 1).all() and (found["maximum"].excerpt[~RECTANGLE] == 0).all()


def test_units_are_those_of_the_network_before_their_non_linearity(classifier):
    excerpts = torch.randn(3, 115, 80)
    fc8 = classifier.features(excerpts)
    for number in (0, 63):
        before = unit_of(classifier, f"fc8.{number}")(excerpts)
        torch.testing.assert_close(torch.nn.functional.leaky_relu(before, 0.01), fc8[:, number], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(unit_of(classifier, "fc9")(excerpts), classifier.logits(excerpts))
    mp6 = unit_of(classifier, "mp6.5")(excerpts)
    torch.testing.assert_close(mp6, classifier.pooled(excerpts)[:, 5].mean((1, 2)), atol=1e-5, rtol=1e-4)


def test_a_hidden_unit_has_a_maximum_only_and_is_moved(classifier):
    found = extremes(classifier, "fc8.3", partial(maximise, steps=8))
    assert list(found) == ["maximum"]
    assert found["maximum"].excerpt.shape == (115, 80)
    assert found["maximum"].activation > 10 * found["maximum"].trace[0].abs()


@pytest.mark.parametrize(
    "name, said",
    {
        "nose": "expected fc9, or a unit of conv1, conv2, mp3, conv4, conv5, mp6, fc7, fc8, as fc8.17",
        "fc9.0": "expected fc9",
        "fc8": r"expected fc8\.0 to fc8\.63",
        "fc8.64": r"expected fc8\.0 to fc8\.63",
        "fc8.-1": r"expected fc8\.0 to fc8\.63",
        "fc7.²": r"expected fc7\.0 to fc7\.255",
        "conv4.128": r"expected conv4\.0 to conv4\.127",
    }.items(),
)
def test_another_unit_is_refused(name, said):
    with pytest.raises(ConfigError, match=f"^maximise={name}: {said}"):
        check_unit(name)


def test_hidden_units_are_svdnets():
    with pytest.raises(ConfigError, match="a Planted has only fc8"):
        unit_of(Planted(), "fc7.3")


def test_its_files_hold_the_excerpts_and_their_traces(classifier, frontend, tmp_path):
    found = extremes(classifier, "fc9", partial(maximise, steps=2))
    write_unit("fc9", found, frontend, tmp_path)
    assert (tmp_path / "maximised.png").read_bytes().startswith(b"\x89PNG")
    with np.load(tmp_path / "maximised.npz") as arrays:
        assert set(arrays.files) == {"maximum", "maximum_trace", "minimum", "minimum_trace"}
        assert np.array_equal(arrays["minimum"], found["minimum"].excerpt)
