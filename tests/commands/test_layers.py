"""The layers' inverters and their units as a person types them, with a classifier of random weights."""

import csv
import json

import numpy as np
import pytest

pytestmark = pytest.mark.slow

BRIEF = ("inverter.width=8", "inverter.fit.max_epochs=1", "+inverter.fit.limit_train_batches=1")


@pytest.fixture
def listening(untrained):
    """Of the words, those that name the corpus and its classifier."""
    return [word for word in untrained if not word.startswith("inverter.")]


def test_the_inverters_of_layers_are_trained_and_their_errors_gathered(shell, listening):
    few = ("excerpts.n=4", "thresholds=[0.5]", "controls=[]")
    directory, _ = shell("layers", "evaluate.py", "-m", *listening, *few, *BRIEF, "layer=mp6,fc7")
    with (directory / "scores.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["job"], row["layer"]) for row in rows] == [("0", "mp6"), ("1", "fc7")]
    for row in rows:
        job = directory / row["job"]
        summary = json.loads((job / "summary.json").read_text())
        for name in ("reconstruction_error/input", "reconstruction_error/features"):
            assert float(row[name]) == summary[name] > 0
        assert (job / f"inverter/inverter-{row['layer']}.safetensors").is_file()


def test_train_a_layers_inverter_and_explain_by_it(shell, listening, tiny_corpus):
    directory, _ = shell("mp6", "train.py", *listening[:3], *BRIEF, "layer=mp6")
    weights = directory / "inverter-mp6.safetensors"
    song = next((tiny_corpus.root / "audio").iterdir())
    words = (*listening[:3], "layer=mp6", f"inverter.weights={weights}", f"audio={song}", "sounds=false")
    explained, _ = shell("by_mp6", "explain.py", *words)
    assert str(weights) in json.loads((explained / "summary.json").read_text())["inverter"]


def test_maximise_a_unit(shell, listening):
    directory, done = shell("unit", "explain.py", *listening[2:3], "maximise=fc8.17", "maximisation.steps=2")
    with np.load(directory / "maximised.npz") as arrays:
        assert arrays["maximum"].shape == (115, 80) and arrays["maximum_trace"].shape == (3,)
    assert (directory / "maximised.png").is_file() and "maximised.png" in done.stdout
    assert json.loads((directory / "summary.json").read_text())["unit"] == "fc8.17"
