"""Trained models in the cache: whole at any moment, made once, and never taken for those of another classifier."""

import copy
import os
import resource
import time
from pathlib import Path

import pytest
from at_once import in_processes
from hydra import compose, initialize_config_dir

from svdx.errors import ConfigError, WeightsError
from svdx.exports import export
from svdx.models import SVDNet, UpConv, load_classifier, load_inverter
from svdx.models.weights import fingerprint, is_classifier, is_inverter_of
from svdx.pipeline import Pipeline

CONF = Path(__file__).parent.parent / "conf"


@pytest.fixture
def place(tmp_path):
    """Where a classifier belongs."""
    return tmp_path / "models" / "corpus" / "classifier.safetensors"


def inverter_of(classifier):
    network = UpConv(8)
    network.inverts = fingerprint(classifier)
    return network


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_a_file_that_is_damaged_foreign_or_anothers_is_not_taken_for_the_model(place, classifier, frontend, caplog):
    export(classifier, frontend, place)
    other = place.with_name("inverter.safetensors")
    export(inverter_of(classifier), frontend, other)
    assert is_classifier(place) and is_inverter_of(classifier, other) and not caplog.records
    assert not is_classifier(other) and not is_inverter_of(classifier, place)
    assert not is_inverter_of(SVDNet(), other)
    with pytest.raises(WeightsError, match="trained to invert classifier"):
        load_inverter(other, SVDNet())
    for damaged in (place.read_bytes()[:-1], b"", b"la la la"):
        place.write_bytes(damaged)
        caplog.clear()
        assert not is_classifier(place) and "damaged, or not a weight file" in caplog.text
    place.unlink()
    assert not is_classifier(place)


def test_whoever_reads_while_others_write_finds_a_whole_model(place, classifier, frontend):
    export(classifier, frontend, place)

    def write_or_read(number):
        if number < 2:
            other = copy.deepcopy(classifier)
            other.threshold.fill_(number / 2)
        for _ in range(4):
            export(other, frontend, place) if number < 2 else load_classifier(place)

    assert in_processes(write_or_read, 4) == [0] * 4
    assert names(place.parent) == ["classifier.safetensors", "frontend.json"]


def test_a_disk_without_room_is_one_line_and_leaves_the_model_that_was_there(place, classifier, frontend):
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

    def train(network, name):
        def trained(self, directory):
            with (tmp_path / "trained").open("a") as file:
                file.write(f"{name} {os.getpid()}\n")
            time.sleep(0.1)
            export(network, frontend, self.models / f"{name}.safetensors")
            return self.models / f"{name}.safetensors"

        return trained

    monkeypatch.setattr(Pipeline, "train_classifier", train(classifier, "classifier"))
    monkeypatch.setattr(Pipeline, "train_inverter", train(inverter_of(classifier), "inverter"))
    words = ("data=folder", f"data.root={tiny_corpus.root}", f"paths.cache={tmp_path}/cache", f"paths.run={tmp_path}")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield lambda *more: Pipeline(compose("evaluate", [*words, *more]))


def trained(tmp_path):
    return [line.split()[0] for line in (tmp_path / "trained").read_text().splitlines()]


@pytest.mark.slow
def test_eight_commands_that_begin_at_once_train_what_is_missing_once(pipeline, tmp_path, classifier):
    def ask(number):
        assert pipeline().inverter.inverts == fingerprint(classifier)

    assert in_processes(ask) == [0] * 8
    assert trained(tmp_path) == ["classifier", "inverter"]


def test_a_damaged_model_is_made_again_and_said_so(pipeline, tmp_path, caplog):
    one = pipeline()
    assert one.inverter
    for name in ("classifier", "inverter"):
        path = one.models / f"{name}.safetensors"
        path.write_bytes(path.read_bytes()[:1000])
        del one.classifier, one.inverter
        assert one.inverter
        assert f"{path}: damaged" in caplog.text
    assert trained(tmp_path) == ["classifier", "inverter", "classifier", "inverter"]


def test_processes_of_one_trainer_do_not_wait_for_each_other(pipeline, tmp_path):
    two = ("trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp")
    one = pipeline(*two)
    with pipeline()._making(one.models / "classifier.safetensors"):
        assert one.classifier
    assert trained(tmp_path) == ["classifier"]
