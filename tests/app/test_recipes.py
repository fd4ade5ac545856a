"""What makes a network another one: everything that is configured about its training, and nothing else."""

import json
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from svdx.app.recipes import as_text, differences, network_path, recipe, stored_recipe
from svdx.models import UpConv, load_inverter
from svdx.models.weights import feature_fingerprint, fingerprint, save, training_metadata

CONF = Path(__file__).parent.parent.parent / "conf"

SCHEDULE = "inverter/schedule@inverter.system.scheduler=repeated"
OTHER_INVERTERS = (
    *("inverter.width=64", "inverter.system.l2=0", "inverter.system.optimizer.lr=0.01", SCHEDULE, "layer=fc7"),
    *("inverter.excerpts.hop=5", "inverter.excerpts.batch_size=16", "inverter.fit.max_epochs=50", "seed=1"),
    *("+inverter.fit.limit_train_batches=3", "trainer.precision=64-true", "+trainer.gradient_clip_val=1.0"),
    *("inverter.system.optimizer._target_=torch.optim.AdamW", "inverter.system.scheduler.patience=7"),
)
OTHER_CLASSIFIERS = (
    *("classifier=svdnet", "classifier/optimizer@classifier.system=sgd", "classifier.fit.max_epochs=50", "seed=1"),
    *("classifier.excerpts.augment.max_shift=0.2", "classifier.excerpts.augment.strip=3", "trainer.precision=64-true"),
    *("classifier.system.softening=0.1", "classifier.excerpts.valid_hop=3"),
)
SAME = (
    *("trainer.gpus=auto", "trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp", "threads=3"),
    *("logger=wandb", "data.features=live", "classifier.threshold=0.5", "classifier.standardisation=target"),
    *("callbacks.explanations.n=64", "~callbacks.lines"),
    *("inverter.weights=x.npz", "trainer.limit_test_batches=2", "explainer.fill=zero", "excerpts.n=7"),
)


@pytest.fixture(scope="module")
def asked():
    def of(section, *words):
        with initialize_config_dir(str(CONF), version_base="1.3"):
            return recipe(compose("evaluate", ["paths.run=run", *words]), section)

    return of


@pytest.mark.parametrize(
    ("section", "word"),
    [*(("inverter", word) for word in OTHER_INVERTERS), *(("classifier", word) for word in OTHER_CLASSIFIERS)],
)
def test_a_network_that_is_trained_otherwise_in_anything_has_another_place(asked, section, word):
    plain, other = asked(section), asked(section, word)
    paths = [network_path(Path(), "inverter.safetensors", one) for one in (plain, other)]
    assert paths[0] != paths[1]


STOPPING = (
    "+callbacks.early_stopping._target_=pytorch_lightning.callbacks.EarlyStopping",
    "+callbacks.early_stopping.monitor=valid/mse",
)


def test_an_added_callback_makes_another_network_of_the_training_that_is_asked_for(asked):
    plain, stopped = asked("inverter"), asked("inverter", *STOPPING)
    assert stopped == {**plain, "callbacks.early_stopping._target_": STOPPING[0].partition("=")[2]} | {
        "callbacks.early_stopping.monitor": "valid/mse"
    }
    assert asked("classifier", *STOPPING) == asked("classifier")
    assert asked("classifier", *STOPPING, "+model=svdnet") != asked("classifier")


@pytest.mark.parametrize("section", ["inverter", "classifier"])
def test_where_it_is_trained_and_how_it_is_used_make_no_other_network(asked, section):
    for word in SAME:
        assert asked(section, word) == asked(section), word


def test_a_key_is_called_as_it_is_typed(asked):
    plain, other = asked("inverter"), asked("inverter", "inverter.width=64", "layer=fc7")
    assert {key: value for key, value in other.items() if plain[key] != value} == {"inverter.width": 64, "layer": "fc7"}


def test_of_a_classifier_all_counts_that_its_features_depend_on(classifier):
    before = feature_fingerprint(classifier)
    classifier.threshold.fill_(0.1)
    assert feature_fingerprint(classifier) == before
    classifier.mean.add_(1)
    assert feature_fingerprint(classifier) != before
    one = feature_fingerprint(classifier)
    with torch.no_grad():
        classifier.fc9.bias.add_(1)
    assert feature_fingerprint(classifier) != one


@pytest.fixture
def weights(tmp_path, classifier):
    network = UpConv(8)
    network.inverts = fingerprint(classifier)
    path = tmp_path / "inverter.safetensors"
    save(network, path, recipe=as_text({"inverter.width": 8, "seed": 0, "classifier": "a"}), updates="640")
    return path


def test_a_file_says_how_it_was_trained(weights, classifier, tmp_path):
    said = training_metadata(weights)
    assert json.loads(said["recipe"]) == {"inverter.width": 8, "seed": 0, "classifier": "a"}
    assert said["updates"] == "640"
    assert load_inverter(weights, classifier).width == 8
    assert training_metadata(tmp_path / "other.npz") == {}


def test_a_file_stores_its_recipe(weights, tmp_path):
    assert stored_recipe(weights) == {"seed": 0, "inverter.width": 8, "classifier": "a"}
    assert stored_recipe(tmp_path / "none.safetensors") is None


def test_differences_are_said_in_the_words_of_the_command_line():
    same = {"inverter.width": 8, "seed": 0, "classifier": "a"}
    assert differences(same, same) == ""
    assert differences(same, {**same, "seed": 1}) == "was trained with seed=0 instead of 1"
    several = {**same, "inverter.width": 64, "trainer.precision": True}
    assert differences(same, several) == (
        "was trained with inverter.width=8 instead of 64, trainer.precision=unset instead of true"
    )
    many = differences(same, {**same, **dict.fromkeys("abcdefg", 1)})
    assert many.endswith("d=unset instead of 1 and 3 more")
    assert differences(same, {**same, "classifier": "b"}) == ""  # it cannot be used here


def test_a_file_that_says_nothing_is_of_no_recipe(tmp_path):
    path = tmp_path / "inverter.safetensors"
    save(UpConv(8), path)
    assert training_metadata(path) == {} and stored_recipe(path) is None
    assert "has no training record" in differences(None, {})


def test_a_recipe_holds_plain_values_without_references(asked):
    for section in ("inverter", "classifier"):
        found = asked(section)
        assert json.loads(as_text(found)) == found and "${" not in as_text(found)
        assert found[f"{section}.fit.max_epochs"] and OmegaConf.create(found)
