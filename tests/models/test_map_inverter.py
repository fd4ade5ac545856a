"""Inversion of every layer: features stay in their place."""

from functools import partial

import pytest
import torch
from torch import nn

from svdx.data.datamodule import ExcerptsData
from svdx.errors import ConfigError, WeightsError
from svdx.explanation import FeatureInversion
from svdx.models import SVDNet, UpConv, load_inverter
from svdx.models.layers import MAPS, VECTORS, features_of
from svdx.models.map_inverter import MapInverter
from svdx.models.weights import describe, fingerprint, save
from svdx.training.inverter import Inverter

LAYERS = (*MAPS, *VECTORS)
SIZES = [(115, 80), (100, 61), (33, 32)]


def network_of(layer, width=8, frames=115, bands=80):
    if layer in MAPS:
        return MapInverter(layer, width, frames, bands)
    return UpConv(width, frames, bands, layer)


def reach(changed):
    """First and last row and column in which anything changed, [frames, bands]."""
    rows, columns = (changed.flatten(1) if axis == 0 else changed.T for axis in (0, 1))
    return [(int(line.any(1).nonzero()[0]), int(line.any(1).nonzero()[-1])) for line in (rows, columns)]


@pytest.mark.parametrize("frames, bands", SIZES)
@pytest.mark.parametrize("layer", LAYERS)
def test_features_of_every_layer_become_a_log_mel_of_the_excerpts_size(layer, frames, bands):
    classifier = SVDNet(frames, bands).eval()
    network, excerpts = network_of(layer, 8, frames, bands).eval(), torch.randn(2, frames, bands)
    features = features_of(classifier, layer, excerpts)
    assert network(features).shape == excerpts.shape
    assert features[0].numel() == network.n_features
    if layer in MAPS:
        assert features.shape[1:] == (MAPS[layer].channels, *(MAPS[layer].size(bins) for bins in (frames, bands)))


@pytest.mark.parametrize("layer", MAPS)
def test_an_element_of_a_map_acts_around_the_centre_of_its_receptive_field(layer):
    """Compares where the excerpt changes the element with where the element changes the output."""
    classifier, network = SVDNet().eval(), MapInverter(layer, 8).eval()
    for bias in (part.bias for part in classifier.layers()[:4]):
        nn.init.constant_(bias, 0.1)  # no unit of these maps is silent everywhere
    excerpts = torch.randn(1, 115, 80, requires_grad=True)
    features = features_of(classifier, layer, excerpts)
    row, column = features.shape[2] // 2, features.shape[3] // 2
    field = torch.zeros(115, 80, dtype=torch.bool)
    for _ in range(8):  # max pooling passes the gradient of the greatest element only: another one in each excerpt
        excerpts = torch.randn(1, 115, 80, requires_grad=True)
        features = features_of(classifier, layer, excerpts)
        (gradient,) = torch.autograd.grad(features[0, :, row, column].square().sum(), excerpts)
        field |= gradient[0] != 0
    features = features.detach().requires_grad_()
    picture, impulse = network(features), torch.zeros_like(features)
    impulse[0, :, row, column] = 1
    changed = (network(features + impulse) - picture)[0].abs() > 1e-7
    for (first, last), (begin, end) in zip(reach(field), reach(changed), strict=True):
        assert last - first + 1 == MAPS[layer].field
        assert begin + end == first + last  # the same middle
        assert end - begin < last - first + 3 * MAPS[layer].stride + 8  # and not everywhere


def test_the_first_and_the_last_bin_depend_on_the_features_next_to_them():
    network = MapInverter("mp6", 8).eval()
    quiet = torch.zeros(1, 64, 11, 7)
    for row, column, frame, band in ((0, 0, 0, 0), (10, 6, 114, 79)):
        loud = quiet.clone()
        loud[0, :, row, column] = 1
        assert network(loud)[0, frame, band] != network(quiet)[0, frame, band]


@pytest.mark.parametrize("layer", LAYERS)
def test_a_few_steps_lower_the_error(layer):
    classifier, excerpts = SVDNet(40, 40).eval().requires_grad_(False), torch.randn(8, 40, 40)
    network, features = network_of(layer, 8, 40, 40), features_of(classifier, layer, excerpts)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    errors = []
    for _ in range(12):
        error = (network(features) - excerpts).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    assert errors[-1] < 0.97 * errors[0]


@pytest.mark.parametrize("layer", LAYERS)
def test_a_file_stores_its_layer_and_another_layer_is_refused(layer, classifier, tmp_path):
    network, path = network_of(layer), tmp_path / "inverter.safetensors"
    network.inverts = fingerprint(classifier)
    assert describe(network).get("layer") == (layer if layer != "fc8" else None)  # as it was before there were layers
    save(network, path)
    loaded, features = load_inverter(path, classifier, layer), features_of(classifier, layer, torch.randn(2, 115, 80))
    assert type(loaded) is type(network) and loaded.layer == load_inverter(path, classifier).layer == layer
    assert torch.equal(loaded(features), network.eval()(features))
    other = "conv4" if layer != "conv4" else "fc8"
    with pytest.raises(WeightsError, match=rf"inverter\.safetensors: inverts {layer}, not {other}; layer={layer} uses"):
        load_inverter(path, classifier, other)


def test_a_layer_that_no_network_inverts_is_refused(classifier, tmp_path):
    network = network_of("mp6")
    network.layer = "mp9"
    save(network, tmp_path / "odd.safetensors")
    with pytest.raises(WeightsError, match="no network can be built of"):
        load_inverter(tmp_path / "odd.safetensors", classifier)
    with pytest.raises(ConfigError, match=r"width=0: expected 1 or more"):
        MapInverter("mp6", 0)


@pytest.mark.parametrize("layer", ["conv2", "mp6", "fc7", "fc8"])
def test_training_and_explainer_use_the_features_of_the_layer(layer, classifier):
    logmel = torch.randn(2, 115, 80) - 4
    excerpts, network = classifier.standardise(logmel), network_of(layer)
    features = features_of(classifier, layer, excerpts)
    assert torch.equal(Inverter(network, classifier, None, None, 0).features(logmel), features)
    explainer = FeatureInversion(classifier, network.eval())
    assert torch.equal(explainer.features(excerpts), features)
    picture, probability = explainer.score_and_predict(excerpts)
    assert torch.equal(picture, network(features)) and torch.equal(picture, explainer.score(excerpts))
    torch.testing.assert_close(probability, classifier(excerpts))


def test_other_classifiers_have_only_their_features():
    class Other(nn.Module):
        def features(self, excerpts):
            return excerpts.mean(2)

    excerpts = torch.randn(2, 24, 16)
    assert torch.equal(features_of(Other(), "fc8", excerpts), excerpts.mean(2))
    with pytest.raises(ConfigError, match="layer=mp6: a Other has only fc8"):
        features_of(Other(), "mp6", excerpts)


@pytest.mark.parametrize("layer, cached", [("mp6", None), ("fc7", 256), ("fc8", 64)])
def test_vectors_are_cached_and_maps_are_not(layer, cached, classifier, tiny_corpus, tiny_store, make_trainer):
    data = ExcerptsData(tiny_corpus, tiny_store, batch_size=4, hop=80, valid_hop=160, features="cached")
    inverter = Inverter(
        network_of(layer), classifier, partial(torch.optim.Adam), torch.optim.lr_scheduler.ReduceLROnPlateau, 0
    )
    make_trainer(max_steps=1, limit_val_batches=0).fit(inverter, data)
    features = data.train_set.features
    assert (None if features is None else features.shape[1]) == cached
    if cached:
        first = torch.tensor(tiny_store.logmel(data.train_set.tracks[0]))[:115]
        torch.testing.assert_close(features[:1], inverter.features(first[None]), atol=1e-5, rtol=1e-4)
