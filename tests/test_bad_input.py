"""What a user can get wrong ends in exit code 1 and one line that says so, with no traceback and no half result."""

import copy
import logging
import os
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hydra.core.singleton import Singleton

from svdx.models import SVDNet, UpConv
from svdx.models.weights import fingerprint, save

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny_corpus):
    """Files that are right, and files that are wrong in one way each."""
    place = tmp_path_factory.mktemp("bad input")
    torch.manual_seed(2)
    classifier, other, inverter = SVDNet(), SVDNet(), UpConv(8)
    inverter.inverts = fingerprint(classifier)
    for network, name in ((classifier, "classifier"), (other, "other"), (inverter, "inverter")):
        save(network, place / f"{name}.safetensors")
    (place / "damaged.safetensors").write_bytes((place / "classifier.safetensors").read_bytes()[:1000])
    (place / "damaged.ckpt").write_bytes(b"PK\x03\x04 nothing more")
    np.savez(place / "fourteen.npz", **{f"param{i}": np.zeros(3, np.float32) for i in range(14)})
    np.savez(place / "four.npz", **{f"param{i}": np.zeros(3, np.float32) for i in range(4)})
    np.savez(place / "pickled.npz", param0=np.array([{"a": 1}], dtype=object))
    noise = 0.1 * np.random.default_rng(0).standard_normal(4 * 22050)
    soundfile.write(place / "song.wav", noise, 22050)
    soundfile.write(place / "short.wav", noise[:22050], 22050)
    soundfile.write(place / "silent.wav", 0 * noise, 22050)
    soundfile.write(place / "noise.flac", noise, 22050)
    (place / "cut.flac").write_bytes((place / "noise.flac").read_bytes()[:20000])
    (place / "text.mp3").write_text("these are words\n" * 50)
    (place / "corpus").symlink_to(tiny_corpus.root)
    return place


FOLDER = "data=folder data.root={corpus}"
NETWORKS = "classifier.weights={classifier.safetensors} inverter.weights={inverter.safetensors}"
EXPLAIN = f"explain.py {NETWORKS}"
SONG = "explain.py audio={song.wav}"
EVALUATE = f"evaluate.py {FOLDER} {NETWORKS} excerpts.n=4"
CASES = {
    "no root": ("train.py data=folder", "data=folder needs data.root=DIR"),
    "a root that is not there": ("train.py data=jamendo data.root={nowhere}", "data.root={nowhere} does not exist"),
    "a root that is a file": ("train.py data=stems data.root={song.wav}", "{song.wav}"),
    "a missing audio file": (f"{EXPLAIN} audio={{no.wav}}", "{no.wav}: no such audio file"),
    "a directory as audio file": (f"{EXPLAIN} audio={{corpus}}", "{corpus}: no audio file is there"),
    "a pattern without a match": (f"{EXPLAIN} audio={{*.aiff}}", "{*.aiff}: no audio file is there"),
    "only unreadable audio files": (f"{EXPLAIN} audio={{text.*}}", "none of 1 tracks could be explained; the first: "),
    "a text file as audio": (f"{EXPLAIN} audio={{text.mp3}}", "{text.mp3}: not readable as audio"),
    "a truncated audio file": (f"{EXPLAIN} audio={{cut.flac}}", "{cut.flac}: "),
    "silence": (f"{EXPLAIN} audio={{silent.wav}}", "{silent.wav}: silent"),
    "a song too short": (f"{EXPLAIN} audio={{short.wav}}", "{short.wav}: 1.00 s, an excerpt needs 1.68 s"),
    "a start beyond the end": (
        f"{EXPLAIN} audio={{song.wav}} start=99",
        "start=99 is outside the track; give 0 to 2.3",
    ),
    "a start before the beginning": (f"{EXPLAIN} audio={{song.wav}} start=-1", "start=-1 is outside the track"),
    "a start that is no number": (f"{EXPLAIN} audio={{song.wav}} start=soon", "start=soon"),
    "a hop that is no number": (f"{EXPLAIN} audio={{song.wav}} start=all hop=often", "hop=often: expected seconds"),
    "a hop beyond an excerpt": (f"{EXPLAIN} audio={{song.wav}} start=all hop=2", "hop=2: expected 0.02 to 1.64 s"),
    "a whole track too short": (f"{EXPLAIN} audio={{short.wav}} start=all", "{short.wav}: 1.00 s, an excerpt needs"),
    "one number as explain's thresholds": (
        f"{EXPLAIN} audio={{song.wav}} thresholds=0.5",
        "thresholds=0.5: expected a",
    ),
    "a word among explain's thresholds": (f"{EXPLAIN} audio={{song.wav}} thresholds=[high]", "threshold high is"),
    "an npz of another network as classifier": (f"{SONG} classifier.weights={{four.npz}}", "{four.npz}: not an SVDNet"),
    "an npz of other shapes": (f"{SONG} classifier.weights={{fourteen.npz}}", "{fourteen.npz}: not a SVDNet"),
    "an npz of another network as inverter": (
        f"{SONG} classifier.weights={{classifier.safetensors}} inverter.weights={{fourteen.npz}}",
        "{fourteen.npz}: not an inverter",
    ),
    "an npz with pickled objects": (f"{SONG} classifier.weights={{pickled.npz}}", "{pickled.npz}: expected plain"),
    "networks swapped": (
        f"{SONG} classifier.weights={{inverter.safetensors}} inverter.weights={{classifier.safetensors}}",
        "{inverter.safetensors}: holds upconv, expected svdnet; are classifier and inverter swapped?",
    ),
    "networks that do not fit": (
        f"{SONG} classifier.weights={{other.safetensors}} inverter.weights={{inverter.safetensors}}",
        "{inverter.safetensors}: trained to invert classifier",
    ),
    "damaged safetensors": (f"{SONG} classifier.weights={{damaged.safetensors}}", "{damaged.safetensors}: damaged"),
    "a damaged checkpoint": (f"{SONG} classifier.weights={{damaged.ckpt}}", "{damaged.ckpt}: damaged"),
    "missing weights": (f"{SONG} classifier.weights={{no.ckpt}}", "{no.ckpt}: no such file"),
    "a missing standardisation": (f"{EXPLAIN} audio={{song.wav}} classifier.standardisation={{no.csv}}", "{no.csv}"),
    "a threshold of 1.2": (f"{EXPLAIN} audio={{song.wav}} explainer.threshold=1.2", "1.2 is outside [0, 1.1]"),
    "one threshold of 1.2": (f"{EVALUATE} explainer.threshold=1.2", "1.2 is outside [0, 1.1]"),
    "a list with 1.2": (f"{EVALUATE} thresholds=[0.1,1.2]", "1.2 is outside [0, 1.1]"),
    "a threshold that is no number": (f"{EVALUATE} explainer.threshold=high", "high"),
    "a start that is endless": (f"{EXPLAIN} audio={{song.wav}} start=inf", "start=inf is outside the track"),
    "one number as thresholds": (f"{EVALUATE} thresholds=0.5", "thresholds"),
    "no thresholds": (f"{EVALUATE} thresholds=[]", "thresholds"),
    "an unknown keep": (f"{EVALUATE} explainer.keep=most", "explainer.keep=most: expected salient or complement"),
    "an unknown fill": (
        f"{EVALUATE} explainer.fill=noise",
        "explainer.fill=noise: expected mean, zero, floor or excerpt-mean",
    ),
    "an unknown control": (f"{EVALUATE} controls=[noise]", "controls=['noise']: expected some of random"),
    "a curve that is not there": ("evaluate.py plot={no.csv}", "{no.csv}: not a curve.csv"),
    "nothing to take to another corpus": (f"evaluate.py {FOLDER} experiment=cross_dataset", "models"),
    "a sweep that is not there": ("evaluate.py gather={nowhere}", "{nowhere} holds no multirun.yaml"),
    "an unknown sampling": (
        f"{EVALUATE} excerpts.sampling=some",
        "excerpts.sampling=some: expected random, released or",
    ),
    "an unknown split": (f"{EVALUATE} excerpts.split=tset", "'tset'"),
    "no excerpts": (f"{EVALUATE} excerpts.n=0", "excerpts.n=0"),
    "fewer than no excerpts": (f"{EVALUATE} excerpts.n=-4", "excerpts.n=-4"),
    "resume without a checkpoint": (
        f"train.py {FOLDER} classifier.weights={{classifier.safetensors}} resume=true",
        "holds no checkpoints/last.ckpt; give that run's hydra.run.dir",
    ),
    "an inverter of a width that cannot be halved": (
        f"train.py {FOLDER} classifier.weights={{classifier.safetensors}} inverter.width=12",
        "inverter.width=12: expected a multiple of 8",
    ),
    "trainer.gpus=some": (f"{EVALUATE} trainer.gpus=some", "trainer.gpus=some: expected 0, a number of GPUs"),
}
IN_A_SHELL = ["no root", "a start beyond the end", "an unknown sampling", "resume without a checkpoint"]


def filled(text, place):
    """{name} becomes the file of that name."""
    head, *rest = text.split("{")
    return head + "".join(f"{place}/{part.replace('}', '', 1)}" for part in rest)


def words(command, place, run):
    script, *given = command.split()
    quoted = [
        key + "='" + filled(value, place) + "'" if "{" in value else key + "=" + value
        for key, _, value in (word.partition("=") for word in given)
    ]
    return [script, *quoted, f"hydra.run.dir='{run}'"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The results' directory; afterwards the logging and Hydra of this process are what they were."""
    monkeypatch.setenv("SVDX_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(ROOT)
    root, state = logging.getLogger(), copy.deepcopy(Singleton.get_state())
    handlers, level = root.handlers[:], root.level
    yield tmp_path / "run"
    root.handlers[:], root.level = handlers, level
    Singleton.set_state(state)


def assert_nothing_half_written(run):
    assert {path.name.rpartition(".")[2] for path in run.iterdir()} <= {"hydra", "log"}
    assert not list(run.parent.rglob("*.safetensors")) and not list(run.parent.rglob("*.part"))


@pytest.mark.parametrize("case", CASES)
def test_one_line(case, place, run, monkeypatch, capfd):
    command, said = CASES[case]
    arguments = words(command, place, run)
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(arguments[0], run_name="__main__")
    line = end.value.code
    assert isinstance(line, str) and line.startswith("svdx: ") and "\n" not in line
    assert filled(said, place) in line
    assert "Traceback" not in capfd.readouterr().err
    assert_nothing_half_written(run)


@pytest.mark.slow
@pytest.mark.parametrize("case", IN_A_SHELL)
def test_nothing_but_the_line_on_standard_error(case, place, run):
    command, said = CASES[case]
    done = subprocess.run(
        [sys.executable, *words(command, place, run)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ.copy(),
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("svdx: ") and filled(said, place) in line
    assert "Traceback" not in done.stdout
    assert_nothing_half_written(run)
