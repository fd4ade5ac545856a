"""Trained models in the cache: whole at any moment, made once, and never taken for those of another classifier."""

import copy
import os
import re
import resource
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir

from svdx.app import pipeline as pipelines
from svdx.app.pipeline import Pipeline
from svdx.app.recipes import as_text, stored_recipe
from svdx.app.train import export as export_trained
from svdx.app.trained_networks import CachedNetwork, export, training_lock
from svdx.errors import ConfigError, WeightsError
from svdx.models import SVDNet, UpConv, load_classifier, load_inverter
from svdx.models.weights import fingerprint, save
from tests.support.at_once import in_processes

CONF = Path(__file__).parent.parent.parent / "conf"


@pytest.fixture
def place(tmp_path):
    """Where a classifier belongs."""
    return tmp_path / "models" / "corpus" / "classifier.safetensors"


def inverter_of(classifier, width=8):
    network = UpConv(width)
    network.inverts = fingerprint(classifier)
    return network


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_damaged_and_foreign_files_are_not_used(place, classifier, frontend, caplog):
    export(classifier, frontend, place, recipe=as_text({"seed": 0}))
    other = place.with_name("inverter.safetensors")
    export(inverter_of(classifier), frontend, other, recipe=as_text({"classifier": "a"}))
    assert stored_recipe(place) == {"seed": 0} and stored_recipe(other) == {"classifier": "a"} and not caplog.records
    with pytest.raises(WeightsError, match="trained to invert classifier"):
        load_inverter(other, SVDNet())
    for damaged in (place.read_bytes()[:-1], b"", b"la la la"):
        place.write_bytes(damaged)
        caplog.clear()
        assert stored_recipe(place) is None and "damaged, or not a weight file" in caplog.text
    place.unlink()
    assert stored_recipe(place) is None


def test_readers_see_complete_models_while_others_write(place, classifier, frontend):
    export(classifier, frontend, place)

    def write_or_read(number):
        if number < 2:
            other = copy.deepcopy(classifier)
            other.threshold.fill_(number / 2)
        for _ in range(4):
            export(other, frontend, place) if number < 2 else load_classifier(place)

    assert in_processes(write_or_read, 4) == [0] * 4
    assert names(place.parent) == ["classifier.safetensors", "frontend.json"]


def test_a_full_disk_is_one_line_and_keeps_the_old_model(place, classifier, frontend):
    export(classifier, frontend, place)
    before = place.read_bytes()

    def write(number):
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        with pytest.raises(ConfigError, match=r"models/corpus: cannot be written \(.*\): set SVDX_CACHE") as error:
            export(SVDNet(), frontend, place)
        assert "\n" not in str(error.value)

    assert in_processes(write, 1) == [0]
    assert place.read_bytes() == before
    assert names(place.parent) == ["classifier.safetensors", "frontend.json"]


@pytest.fixture
def pipeline(tmp_path, tiny_corpus, classifier, frontend, monkeypatch):
    """Makes pipelines that train in a moment, and note it in a file `trained`, by process."""
    monkeypatch.chdir(tmp_path)

    def train(what, make):
        def trained(pipeline, directory):
            with (tmp_path / "trained").open("a") as file:
                file.write(f"{what} {os.getpid()}\n")
            time.sleep(0.1)
            trainer = SimpleNamespace(is_global_zero=True, global_step=1, strategy=SimpleNamespace(barrier=lambda: 0))
            cached = pipeline.cached_network(what, tmp_path)
            export_trained(pipeline, trainer, make(pipeline), cached)
            return cached.path

        return trained

    def inverter(pipeline):
        return inverter_of(pipeline.prepare_classifier(), pipeline.cfg.inverter.width)

    monkeypatch.setattr(pipelines, "train_classifier", train("classifier", lambda _: copy.deepcopy(classifier)))
    monkeypatch.setattr(pipelines, "train_inverter", train("inverter", inverter))
    words = ["data=folder", f"data.root={tiny_corpus.root}", f"paths.cache={tmp_path}/cache", f"paths.run={tmp_path}"]
    words += ["inverter.width=8"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield lambda *more: Pipeline(compose("evaluate", [*words, *more]))


def trained(tmp_path):
    """What was trained so far, in this order."""
    return [line.split()[0] for line in (tmp_path / "trained").read_text().splitlines()]


def model(pipeline, what):
    """The file of what was trained last, under its recipe's name."""
    last = (pipeline.models / f"{what}.safetensors").read_bytes()
    networks = pipeline.models.parent.with_name("networks") / pipeline.models.name
    return next(path for path in networks.glob(f"{what}-*.safetensors") if path.read_bytes() == last)


@pytest.mark.slow
def test_eight_commands_at_once_train_each_network_once(pipeline, tmp_path, classifier):
    def ask(number):
        assert pipeline().prepare_inverter().inverts == fingerprint(classifier)

    assert in_processes(ask) == [0] * 8
    assert trained(tmp_path) == ["classifier", "inverter"]


def test_a_damaged_model_is_trained_again_with_a_warning(pipeline, tmp_path, caplog):
    one = pipeline()
    one.prepare_inverter()
    for path in [model(one, name) for name in ("classifier", "inverter")]:
        path.write_bytes(path.read_bytes()[:1000])
        pipeline().prepare_inverter()
        assert f"{path}: damaged" in caplog.text
    assert trained(tmp_path) == ["classifier", "inverter", "classifier", "inverter"]


def test_networks_of_several_recipes_are_cached_side_by_side(pipeline, tmp_path, caplog, classifier):
    caplog.set_level("INFO")
    assert pipeline().prepare_inverter().width == 8
    wide = pipeline("inverter.width=64")
    assert wide.prepare_inverter().width == 64
    last = wide.models / "inverter.safetensors"
    assert "the latest one was trained with inverter.width=8 instead of 64" in caplog.text
    (narrow,) = re.findall(r"set inverter\.weights='(.*)'", caplog.text)
    assert load_inverter(narrow, classifier).width == 8 and load_inverter(last, classifier).width == 64
    assert pipeline("classifier.system.softening=0.1").prepare_inverter().width == 8
    assert trained(tmp_path) == ["classifier", "inverter", "inverter", "classifier"]  # of equal weights here
    for width in (8, 64, 8):
        assert pipeline(f"inverter.width={width}").prepare_inverter().width == width
    assert len(trained(tmp_path)) == 4


def test_the_latest_networks_have_plain_names(pipeline, classifier):
    one = pipeline()
    one.prepare_inverter()
    assert load_inverter(one.models / "inverter.safetensors", classifier).width == 8
    pipeline("inverter.width=16").prepare_inverter()
    assert load_inverter(one.models / "inverter.safetensors", classifier).width == 16
    assert fingerprint(load_classifier(one.models / "classifier.safetensors")) == fingerprint(classifier)


def test_the_inverter_of_an_external_classifier_is_found_again(pipeline, tmp_path, classifier):
    """By what it hears with: also where it is standardised otherwise."""
    save(classifier, tmp_path / "mine.safetensors")
    mine = f"classifier.weights={tmp_path}/mine.safetensors"
    for _ in range(2):
        pipeline(mine).prepare_inverter()
    pipeline(mine, "classifier.threshold=0.3").prepare_inverter()
    assert trained(tmp_path) == ["inverter"]
    assert (tmp_path / "inverter.safetensors").is_file()  # in the run's directory, too
    pipeline(mine, "classifier.standardisation=target").prepare_inverter()
    assert trained(tmp_path) == ["inverter", "inverter"]
    assert not (pipeline(mine).models / "inverter.safetensors").exists()  # it fits no classifier that lies there


def test_a_network_without_a_recipe_is_neither_used_nor_lost(pipeline, tmp_path, classifier, caplog):
    caplog.set_level("INFO")
    one = pipeline()
    last = one.models / "classifier.safetensors"
    save(classifier, last)
    old = last.read_bytes()
    one.prepare_classifier()
    assert trained(tmp_path) == ["classifier"]
    assert "the latest one has no training record, since an earlier svdx wrote it" in caplog.text
    (before,) = re.findall(r"set classifier\.weights='(.*)'", caplog.text)
    assert Path(before).read_bytes() == old and last.read_bytes() != old


def test_networks_are_copied_atomically(place, classifier, frontend):
    slot = CachedNetwork({}, place.parent, place.with_name("last.safetensors"))
    export(classifier, frontend, slot.path, recipe=as_text({}))

    def copy_it(number):
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        with pytest.raises(ConfigError, match=r"cannot be written \(.*\): set SVDX_CACHE"):
            slot.make_latest()

    assert in_processes(copy_it, 1) == [0]
    assert names(place.parent) == ["frontend.json", slot.path.name] and slot.exists()


def test_processes_of_one_trainer_do_not_wait_for_each_other(pipeline, tmp_path):
    two = ("trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp")
    one = pipeline(*two)
    with training_lock(one.cached_network("classifier", tmp_path).path):
        one.prepare_classifier()
    assert trained(tmp_path) == ["classifier"]


def test_the_latest_network_is_kept_if_the_file_of_its_recipe_was_removed(place, classifier, frontend):
    """As where somebody has kept or copied cache/models alone."""
    last = place.with_name("last.safetensors")
    first, second = (CachedNetwork({"seed": seed}, place.parent / "networks", last) for seed in (0, 1))
    first.write(classifier, frontend, updates=1)
    before = last.read_bytes()
    first.path.unlink()
    second.write(classifier, frontend, updates=2)
    assert first.exists() and first.path.read_bytes() == before
