"""The inverter against the original program at both widths, with weights in the original's layout."""

from pathlib import Path

import numpy as np
import pytest
import torch

from svdx.errors import ConfigError
from svdx.models import UpConv, load_inverter

DATA = Path(__file__).parent.parent / "data"
COUNTS = {16: (31_117, 31_877), 64: (130_081, 131_201)}  # trainable; as Lasagne counts, statistics included


@pytest.fixture(params=COUNTS)
def width(request):
    return request.param


@pytest.fixture
def golden(width):
    with np.load(DATA / f"inverter_{width}.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture
def network(width, classifier):
    return load_inverter(DATA / f"inverter_weights_{width}.npz", classifier)


def test_output_equals_the_original_program(network, golden):
    assert golden["y"].max() > 10
    torch.testing.assert_close(network(golden["z"])[:1], golden["y"][:, 0], atol=5e-5, rtol=1e-6)


def test_output_with_batch_statistics_equals_the_original_program(network, golden):
    every = 115 // golden["y_train_mode"].shape[2] + (115 % golden["y_train_mode"].shape[2] > 0)  # kept: each 4th frame
    pictures = network.train()(golden["z"])[:1, ::every]
    torch.testing.assert_close(pictures, golden["y_train_mode"][:, 0], atol=1e-5, rtol=1e-5)


def test_l2_equals_the_original_sum_over_weights_and_scales(network, golden):
    assert network.l2().item() == pytest.approx(golden["l2_sum"].item(), rel=1e-6)


def test_l2_excludes_shifts_and_biases():
    network = UpConv(16)
    before = network.l2().item()
    with torch.no_grad():
        network.linear_layers()[-1].bias.fill_(100)
        for norm in network.norm_layers():
            norm.bias.fill_(100)
        assert network.l2().item() == before
        network.norm_layers()[0].weight.fill_(3)  # 64 scales from 1 to 3
    assert network.l2().item() == pytest.approx(before + 64 * (9 - 1), rel=1e-6)


def test_the_number_of_parameters_is_that_of_the_original(width):
    network = UpConv(width)
    trainable = sum(parameter.numel() for parameter in network.parameters())
    statistics = sum(2 * norm.num_features for norm in network.norm_layers())
    assert (trainable, trainable + statistics) == COUNTS[width]


def test_channels_halve_from_the_width_down():
    ups = [layer for layer in UpConv(16).linear_layers() if isinstance(layer, torch.nn.ConvTranspose2d)]
    assert [(up.in_channels, up.out_channels) for up in ups] == [(16, 16), (16, 8), (8, 4), (4, 2), (2, 1)]


def test_output_is_greater_than_minus_one():
    network = UpConv(16)
    torch.nn.init.constant_(network.linear_layers()[-1].bias, -5)
    pictures = network.eval()(torch.randn(2, 64))
    assert pictures.shape == (2, 115, 80)
    assert -1 <= pictures.min() < -0.9


def test_the_crop_is_top_left():
    network = UpConv(16).eval()
    features = torch.randn(1, 64)
    whole = network.picture(network.dense(features).unflatten(1, (16, 4, 4)))
    assert whole.shape == (1, 1, 128, 128)
    assert torch.equal(network(features), whole[:, 0, :115, :80])


def test_initial_weights_have_the_gain_of_lasagne():
    weight = UpConv(16).linear_layers()[1].weight  # 256 × 64: He-normal with gain 1 has deviation 1/√64
    assert weight.std().item() == pytest.approx(1 / 8, rel=0.05)


@pytest.mark.parametrize("width", [0, 4, 12, -8])
def test_widths_that_are_no_multiple_of_eight_are_refused(width):
    with pytest.raises(ConfigError, match=f"width={width}: expected a multiple of 8"):
        UpConv(width)
