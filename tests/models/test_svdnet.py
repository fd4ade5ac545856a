"""SVDNet against the original program, with the weights of its golden file, read from an .npz."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from svdx.models import SVDNet, load_classifier

GOLDEN = np.load(Path(__file__).parent.parent / "data/svdnet.npz")
SHAPES = [(64, 1, 3, 3), (32, 64, 3, 3), (128, 32, 3, 3), (64, 128, 3, 3), (4928, 256), (256, 64), (64, 1)]


def golden_arrays():
    """The 14 arrays in the order of the original's file: W [out, in, 3, 3] or [in, out], b [out] of each layer."""
    generator, arrays = np.random.RandomState(7), {}
    for i, shape in enumerate(SHAPES):
        fan_in, n_out = (np.prod(shape[1:]), shape[0]) if len(shape) == 4 else shape
        arrays[f"param{2 * i}"] = generator.normal(0, np.sqrt(2 / fan_in), shape).astype(np.float32)
        arrays[f"param{2 * i + 1}"] = generator.normal(0, 0.1, n_out).astype(np.float32)
    return arrays


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("golden")
    np.savez(folder / "model.npz", **golden_arrays())
    np.savez(folder / "standardisation.npz", mean=np.zeros(80), std=np.ones(80))
    return load_classifier(folder / "model.npz", folder / "standardisation.npz")


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def exact(request, network):
    """The golden network, its input, and how closely a precision must agree with the original."""
    original = network.conv1.weight.dtype
    yield network.to(request.param), torch.from_numpy(GOLDEN["x"]).to(request.param)
    network.to(original)


def agree(found, name, tolerance):
    expected = torch.from_numpy(GOLDEN[name]).to(found.dtype)
    torch.testing.assert_close(found, expected, atol=tolerance, rtol=0)


def test_every_stage_equals_the_original_program(exact):
    network, x = exact
    tolerance = 7e-6 if x.dtype == torch.float64 else 3e-5
    agree(network.pooled(x), "mp6", tolerance)
    agree(network.features(x), "fc8", tolerance)
    probability = torch.from_numpy(GOLDEN["fc9"][:, 0])
    torch.testing.assert_close(network(x).float(), probability, atol=0, rtol=10 * tolerance)  # it is small: 0.0034


@pytest.mark.parametrize("starts", [range(0, 90), range(0, 90, 10), range(0, 90, 18), [88, 3, 3, 40]], ids=str)
@pytest.mark.parametrize("block", [1, 7, 50, 1024])
def test_a_whole_track_gives_the_features_of_its_excerpts(classifier, monkeypatch, starts, block):
    monkeypatch.setattr("svdx.models.svdnet.BLOCK", block)
    track, starts = torch.randn(204, 80), torch.tensor(list(starts))
    one_by_one = classifier.features(torch.stack([track[start : start + 115] for start in starts]))
    torch.testing.assert_close(classifier.features_at(track, starts), one_by_one, atol=1e-5, rtol=0)


def test_the_number_of_parameters_is_that_of_the_original():
    assert sum(parameter.numel() for parameter in SVDNet().parameters()) == 1_408_225


def test_pooling_before_the_non_linearity_is_the_same_as_after(network):
    x = torch.randn(2, 115, 80)
    y = F.leaky_relu(network.conv1(x[:, None]), 0.01)
    y = F.max_pool2d(F.leaky_relu(network.conv2(y), 0.01), 3)
    y = F.leaky_relu(network.conv4(y), 0.01)
    y = F.max_pool2d(F.leaky_relu(network.conv5(y), 0.01), 3)
    torch.testing.assert_close(network.pooled(x), y, atol=1e-5, rtol=0)


def test_probability_is_the_sigmoid_of_the_last_layer_on_the_features(network):
    x = torch.randn(3, 115, 80)
    torch.testing.assert_close(network.logits(x), network.fc9(network.features(x))[:, 0])
    torch.testing.assert_close(network(x), 1 / (1 + torch.exp(-network.logits(x))))


def test_dropout_is_active_in_training_and_off_in_eval(classifier):
    x = torch.randn(2, 115, 80)
    assert torch.equal(classifier.features(x), classifier.features(x))
    classifier.train()
    assert not torch.equal(classifier.features(x), classifier.features(x))
    assert torch.equal(classifier.pooled(x), classifier.pooled(x))


def test_dropout_of_one_half_precedes_each_dense_layer(classifier, monkeypatch):
    seen = []
    monkeypatch.setattr(F, "dropout", lambda x, p, training: seen.append((x.shape[-1], p, training)) or x)
    classifier.train()(torch.randn(1, 115, 80))
    assert seen == [(4928, 0.5, True), (256, 0.5, True), (64, 0.5, True)]


def test_standardising_is_per_band(classifier):
    logmel = torch.randn(2, 115, 80)
    band = 33
    mean, std = -3 - 2 * band / 79, 1 + band / 79
    torch.testing.assert_close(classifier.standardise(logmel)[..., band], (logmel[..., band] - mean) / std)


def test_initial_weights_are_orthogonal():
    weight = SVDNet().fc8.weight.detach()  # 64 rows in 256 dimensions
    torch.testing.assert_close(weight @ weight.T, torch.eye(64), atol=1e-5, rtol=0)


def test_a_strip_gives_the_log_odds_of_its_excerpts(classifier):
    strips = torch.randn(2, 115 + 9 * 3, 80)
    one_by_one = [classifier.logits(strips[:, start : start + 115]) for start in (0, 9, 18, 27)]
    torch.testing.assert_close(classifier.strip_logits(strips), torch.stack(one_by_one, dim=1))
