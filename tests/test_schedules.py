"""Weights that were trained for shorter than asked for are used, but never in silence."""

import pytest
from omegaconf import OmegaConf

from svdx.models import UpConv, load_inverter
from svdx.models.weights import fingerprint, said_of, save
from svdx.schedules import compare_schedules, schedule


def section(epochs=10, hop=10):
    return OmegaConf.create(
        {"fit": {"max_epochs": epochs}, "excerpts": {"hop": hop, "batch_size": 32, "features": "x"}}
    )


@pytest.fixture
def weights(tmp_path, classifier):
    network = UpConv(8)
    network.inverts = fingerprint(classifier)
    save(network, tmp_path / "inverter.safetensors", schedule=schedule(section()), updates="640")
    return tmp_path / "inverter.safetensors"


def test_a_file_says_how_it_was_trained(weights, classifier, tmp_path):
    assert said_of(weights) == {
        "schedule": "fit.max_epochs=10 excerpts.hop=10 excerpts.batch_size=32",
        "updates": "640",
    }
    assert load_inverter(weights, classifier).width == 8
    assert said_of(tmp_path / "other.npz") == {}


def test_the_same_schedule_is_not_mentioned(weights, caplog):
    compare_schedules(weights, section())
    assert caplog.text == ""


def test_another_schedule_is(weights, caplog):
    compare_schedules(weights, section(epochs=30))
    assert "trained with fit.max_epochs=10 excerpts.hop=10" in caplog.text
    assert "the configuration says fit.max_epochs=30; train.py" in caplog.text


def test_a_file_that_says_nothing_is_taken_as_it_is(tmp_path, caplog):
    save(UpConv(8), tmp_path / "inverter.safetensors")
    compare_schedules(tmp_path / "inverter.safetensors", section())
    assert said_of(tmp_path / "inverter.safetensors") == {} and caplog.text == ""
