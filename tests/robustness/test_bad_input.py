"""Bad input ends with exit code 1 and one line, without a traceback or a partial result."""

import copy
import logging
import os
import runpy
import shutil
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

ROOT = Path(__file__).parent.parent.parent


def write(text, *parts):
    return lambda root: root.joinpath(*parts).write_text(text)


def play(sound, *parts):
    return lambda root: soundfile.write(root.joinpath(*parts), sound, 22050, subtype="FLOAT")


LABEL, AUDIO = ("labels", "test0.lab"), ("audio", "test0.wav")
SPOILT = {  # defect → change to a corpus
    "no-list": lambda root: (root / "filelists/test").unlink(),
    "list-txt": lambda root: (root / "filelists/test").rename(root / "filelists/test.txt"),
    "no-label": lambda root: (root / "labels/test0.lab").unlink(),
    "no-audio": lambda root: (root / "audio/test0.wav").unlink(),
    "empty-list": write("", "filelists", "test"),
    "leak": write("train0.wav\n", "filelists", "test"),
    "empty-audio": write("", *AUDIO),
    "text-audio": write("hello", *AUDIO),
    "half-audio": lambda root: root.joinpath(*AUDIO).write_bytes(root.joinpath(*AUDIO).read_bytes()[:100000]),
    "short": play(0.1 * np.ones(22050), *AUDIO),
    "silent": play(np.zeros(88200), *AUDIO),
    "nan": play(np.full(88200, np.nan), *AUDIO),
    "empty-label": write("", *LABEL),
    "overlap": write("0 2 nosing\n1 4 sing\n", *LABEL),
    "negative": write("-1 2 nosing\n2 4 sing\n", *LABEL),
    "reversed": write("2 1 nosing\n2 4 sing\n", *LABEL),
    "word": write("0 2 nosing\n2 4 singing\n", *LABEL),
    "unsung-test": write("0 4 nosing\n", *LABEL),
    "unsung-valid": write("0 4 nosing\n", "labels", "valid0.lab"),
    "unsung-train": lambda root: [write("0 4 nosing\n", "labels", f"train{i}.lab")(root) for i in (0, 1)],
}


@pytest.fixture(scope="module")
def place(tmp_path_factory, tiny_corpus):
    """Valid files, and files and corpora with one defect each."""
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
    soundfile.write(place / "opposite.wav", np.stack([noise, -noise], axis=1), 22050)
    soundfile.write(place / "scale.wav", 32767 * noise, 22050, subtype="FLOAT")
    soundfile.write(place / "noise.flac", noise, 22050)
    (place / "cut.flac").write_bytes((place / "noise.flac").read_bytes()[:20000])
    (place / "text.mp3").write_text("these are words\n" * 50)
    (place / "papers").mkdir()
    (place / "papers" / "a.pdf").touch()
    (place / "corpus").symlink_to(tiny_corpus.root)
    (place / "closed").write_text("no directory can be made in a file")
    small = UpConv(8, frames=100)
    small.inverts = fingerprint(classifier)
    save(small, place / "small.safetensors")
    for name, spoil in SPOILT.items():
        shutil.copytree(tiny_corpus.root, place / name)
        spoil(place / name)
    return place


FOLDER = "data=folder data.root={corpus}"
NETWORKS = "classifier.weights={classifier.safetensors} inverter.weights={inverter.safetensors}"
EXPLAIN = f"explain.py {NETWORKS}"
SONG = "explain.py audio={song.wav}"
EVALUATE = f"evaluate.py {FOLDER} {NETWORKS} excerpts.n=4"


def evaluate(corpus, *words):
    return f"evaluate.py data=folder data.root={{{corpus}}} {NETWORKS} excerpts.n=4 {' '.join(words)}"


CASES = {
    "a missing list": (evaluate("no-list"), "{no-list/filelists/test} is missing: write it"),
    "a list with an extension": (evaluate("list-txt"), "{list-txt/filelists/test} is missing: rename test.txt"),
    "a missing label": (evaluate("no-label"), "{no-label/labels/test0.lab} is missing: write it"),
    "a missing audio file of a corpus": (evaluate("no-audio"), "{no-audio/filelists/test:1}: {no-audio/audio} has no"),
    "an empty list": (evaluate("empty-list"), "{empty-list}: the split 'test' of data=folder is empty: add file names"),
    "a track in two splits": (evaluate("leak"), "{leak/filelists/test:1}: 'train0.wav' is already listed"),
    "an empty audio file": (evaluate("empty-audio"), "{empty-audio/audio/test0.wav}: "),
    "a text file in a corpus": (evaluate("text-audio"), "{text-audio/audio/test0.wav}: not readable as audio"),
    "a truncated track": (evaluate("half-audio"), "{half-audio/audio/test0.wav}: truncated"),
    "only a track too short": (evaluate("short"), "{short/audio/test0.wav}: shorter than the 1.68 s needed; use long"),
    "a silent track": (evaluate("silent"), "{silent/audio/test0.wav}: silent"),
    "a track of NaN": (evaluate("nan"), "{nan/audio/test0.wav}: holds samples that are not finite"),
    "an empty label file": (evaluate("empty-label"), "{empty-label/labels/test0.lab}: empty; expected"),
    "labels that overlap": (evaluate("overlap"), "{overlap/labels/test0.lab:2}: starts at 1 s, before the segment"),
    "a negative time": (evaluate("negative"), "{negative/labels/test0.lab:1}: expected"),
    "a reversed time": (evaluate("reversed"), "{reversed/labels/test0.lab:1}: ends at 1 s, before it starts"),
    "an unknown word": (evaluate("word"), "{word/labels/test0.lab:2}: expected 'start end sing'"),
    **{
        f"nobody sings in {split}, for a training": (
            f"train.py data=folder data.root={{unsung-{split}}} model=svdnet classifier.excerpts.batch_size=2",
            f"{{unsung-{split}}}: split '{split}' has non-vocal excerpts only; both classes are needed",
        )
        for split in ("train", "valid", "test")
    },
    **{
        f"nobody sings in {split}, for detection": (
            evaluate(f"unsung-{split}", "detection=true"),
            f"{{unsung-{split}}}: split '{split}' has non-vocal excerpts only; both classes are needed",
        )
        for split in ("valid", "test")
    },
    "more in a batch than there is, for an inverter": (
        f"train.py {FOLDER} classifier.excerpts.batch_size=2 inverter.excerpts.batch_size=500",
        "{corpus}: 34 training excerpts are less than a batch of 500; add music, or lower batch_size or hop",
    ),
    "a cache that cannot be written": (
        f"{EVALUATE} paths.cache={{closed}}",
        "{closed/mels}: cannot be written (Not a directory): set SVDX_CACHE to a directory",
    ),
    "a corpus that cannot be made": (
        f"evaluate.py {NETWORKS} data.root={{closed/corpus}}",
        "data.root={closed/corpus}: cannot be written (",
    ),
    "networks of different sizes": (
        f"{SONG} classifier.weights={{classifier.safetensors}} inverter.weights={{small.safetensors}}",
        "{small.safetensors}: makes 100 frames of 80 bands, the classifier takes 115 frames of 80 bands",
    ),
    "a word where a number is needed": (f"{EVALUATE} excerpts.n=many", "excerpts.n=many: expected a whole number"),
    "a GPU that is not there": (f"{EVALUATE} trainer.accelerator=tpu", "trainer.accelerator=tpu: no such device here"),
    "no root": ("train.py data=folder", "data=folder needs data.root=DIR"),
    "a root that is not there": ("train.py data=jamendo data.root={nowhere}", "data.root={nowhere} does not exist"),
    "a root that is a file": ("train.py data=stems data.root={song.wav}", "data.root={song.wav} is not a directory"),
    "a missing audio file": (f"{EXPLAIN} audio={{no.wav}}", "{no.wav}: no such audio file"),
    "a directory as audio file": (f"{EXPLAIN} audio={{corpus}}", "{corpus}: no audio files found"),
    "a pattern without a match": (f"{EXPLAIN} audio={{*.aiff}}", "{*.aiff}: no audio files found"),
    "only unreadable audio files": (f"{EXPLAIN} audio={{text.*}}", "none of 1 tracks could be explained; the first: "),
    "a text file as audio": (f"{EXPLAIN} audio={{text.mp3}}", "{text.mp3}: not readable as audio"),
    "a truncated audio file": (f"{EXPLAIN} audio={{cut.flac}}", "{cut.flac}: "),
    "silence": (f"{EXPLAIN} audio={{silent.wav}}", "{silent.wav}: silent"),
    "opposite channels": (f"{EXPLAIN} audio={{opposite.wav}}", "{opposite.wav}: its channels cancel each other"),
    "float samples of 16 bits": (f"{EXPLAIN} audio={{scale.wav}}", "{scale.wav}: its samples reach 1"),
    "a song too short": (f"{EXPLAIN} audio={{short.wav}}", "{short.wav}: 1.00 s, an excerpt needs 1.68 s"),
    "a start beyond the end": (
        f"{EXPLAIN} audio={{song.wav}} start=99",
        "start=99: an excerpt of 1.68 s begins at 0 to 2.3",
    ),
    "a start before the beginning": (f"{EXPLAIN} audio={{song.wav}} start=-1", "start=-1: expected 0 or more"),
    "a start that is no number": (f"{EXPLAIN} audio={{song.wav}} start=soon", "start=soon: expected a number or all"),
    "a hop that is no number": (
        f"{EXPLAIN} audio={{song.wav}} start=all hop=often",
        "hop=often: expected a number or null",
    ),
    "a hop beyond an excerpt": (f"{EXPLAIN} audio={{song.wav}} start=all hop=2", "hop=2: expected 0.02 to 1.64 s"),
    "a whole track too short": (f"{EXPLAIN} audio={{short.wav}} start=all", "{short.wav}: 1.00 s, an excerpt needs"),
    "one number as explain's thresholds": (
        f"{EXPLAIN} audio={{song.wav}} thresholds=0.5",
        "thresholds=0.5: expected [a number, …]",
    ),
    "a word among explain's thresholds": (
        f"{EXPLAIN} audio={{song.wav}} thresholds=[high]",
        "thresholds=[high]: expected [a number, …]",
    ),
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
    "an inverter of another layer": (
        f"{SONG} {NETWORKS} layer=mp6",
        "{inverter.safetensors}: inverts fc8, not mp6; layer=fc8 uses it",
    ),
    "damaged safetensors": (f"{SONG} classifier.weights={{damaged.safetensors}}", "{damaged.safetensors}: damaged"),
    "a damaged checkpoint": (f"{SONG} classifier.weights={{damaged.ckpt}}", "{damaged.ckpt}: damaged"),
    "missing weights": (f"{SONG} classifier.weights={{no.ckpt}}", "{no.ckpt}: no such file"),
    "a missing standardisation": (f"{EXPLAIN} audio={{song.wav}} classifier.standardisation={{no.csv}}", "{no.csv}"),
    "a threshold of 1.2": (
        f"{EXPLAIN} audio={{song.wav}} explainer.threshold=1.2",
        "explainer.threshold=1.2: expected 0 to 1.1",
    ),
    "one threshold of 1.2": (f"{EVALUATE} explainer.threshold=1.2", "explainer.threshold=1.2: expected 0 to 1.1"),
    "a list with 1.2": (f"{EVALUATE} thresholds=[0.1,1.2]", "thresholds=[0.1,1.2]: expected 0 to 1.1"),
    "a threshold that is no number": (
        f"{EVALUATE} explainer.threshold=high",
        "explainer.threshold=high: expected a number or null",
    ),
    "a start that is endless": (f"{EXPLAIN} audio={{song.wav}} start=inf", "start=inf: expected a number or all"),
    "one number as thresholds": (f"{EVALUATE} thresholds=0.5", "thresholds=0.5: expected [a number, …]"),
    "no thresholds": (f"{EVALUATE} thresholds=[]", "thresholds=[]: expected numbers"),
    "an unknown keep": (f"{EVALUATE} explainer.keep=most", "explainer.keep=most: expected salient or complement"),
    "an unknown fill": (
        f"{EVALUATE} explainer.fill=noise",
        "explainer.fill=noise: expected mean, zero, floor or excerpt-mean",
    ),
    "an unknown control": (f"{EVALUATE} controls=[noise]", "controls=['noise']: expected some of random"),
    "a curve that is not there": ("evaluate.py plot={no.csv}", "{no.csv}: cannot be read (No such file"),
    "nothing to take to another corpus": (f"evaluate.py {FOLDER} experiment=cross_dataset", "svdx: models=… is needed"),
    "a sweep that is not there": ("evaluate.py gather={nowhere}", "{nowhere} holds no multirun.yaml"),
    "an unknown sampling": (
        f"{EVALUATE} excerpts.sampling=some",
        "excerpts.sampling=some: expected random, tracks, released or all",
    ),
    "an unknown split": (f"{EVALUATE} excerpts.split=tset", "excerpts.split=tset: expected train, valid, test"),
    "no excerpts": (f"{EVALUATE} excerpts.n=0", "excerpts.n=0"),
    "fewer than no excerpts": (f"{EVALUATE} excerpts.n=-4", "excerpts.n=-4"),
    "resume without a run": (
        f"train.py {FOLDER} classifier.weights={{classifier.safetensors}} resume=true",
        "; give that run's hydra.run.dir",
    ),
    "an inverter of a width that cannot be halved": (
        f"train.py {FOLDER} classifier.weights={{classifier.safetensors}} inverter.width=12",
        "inverter.width=12: expected a multiple of 8",
    ),
    "trainer.gpus=some": (f"{EVALUATE} trainer.gpus=some", "trainer.gpus=some: expected 0, a number of GPUs"),
}
BETWEEN = [f"0.{n:04}" for n in range(1, 246) if n % 100]
EARLY = {  # mistakes that are refused before a corpus is generated and networks are trained on it
    "a missing audio file": ("explain.py audio={no.wav}", "{no.wav}: no such audio file"),
    "a start beyond the end": (
        "explain.py audio={song.wav} start=99",
        "start=99: an excerpt of 1.68 s begins at 0 to ",
    ),
    "a hop beyond an excerpt": ("explain.py audio={song.wav} start=all hop=2", "hop=2: expected 0.02 to 1.64 s"),
    "too many thresholds for the page": (
        f"explain.py audio={{song.wav}} explainer.threshold=0.605 thresholds=[{','.join(BETWEEN)}]",
        "thresholds: 244 of them, explainer.threshold counted, lie between the hundredths of the page's slider",
    ),
    "no audio": ("explain.py audio=", "audio= is empty: give an audio file"),
    "a hop of an excerpt": ("explain.py audio={song.wav} start=1 hop=0.5", "hop=0.5: applies to whole tracks only"),
    "a hop without a start": ("explain.py audio={song.wav} hop=0.5", "hop=0.5: applies to whole tracks only"),
    "audio for a unit": ("explain.py maximise=fc9 audio={song.wav}", "maximise=fc9 cannot be combined with audio="),
    "a start for a unit": ("explain.py maximise=fc9 start=1", "maximise=fc9 cannot be combined with audio= or start="),
    "a directory of other files": (
        "explain.py audio={papers}",
        "{papers}: no audio files found; found only .pdf",
    ),
    "a pattern of other files": (
        "explain.py audio={papers}/*",
        "{papers}/*: no audio files found; found only .pdf",
    ),
    "a closed cache": (
        f"train.py {FOLDER} model=svdnet store.directory={{mels}} paths.cache={{closed}}/cache",
        "{closed}/cache/models/folder-",
    ),
    "a closed cache for the inverter": (
        f"train.py {FOLDER} {NETWORKS.split()[0]} store.directory={{mels}} paths.cache={{closed}}/cache",
        "cannot be written (Not a directory): set SVDX_CACHE",
    ),
    "a silent file": ("explain.py audio={silent.wav}", "{silent.wav}: silent from beginning to end"),
    "channels that cancel": ("explain.py audio={opposite.wav}", "{opposite.wav}: its channels cancel each other"),
    "a truncated file": ("explain.py audio={cut.flac} start=all", "{cut.flac}: truncated"),
    "an unknown keep": ("explain.py audio={song.wav} explainer.keep=most", "explainer.keep=most"),
    "an unknown fill": ("evaluate.py explainer.fill=most", "explainer.fill=most"),
    "a decision threshold of 2": ("evaluate.py classifier.threshold=2", "classifier.threshold=2"),
    "a missing standardisation": ("evaluate.py classifier.standardisation={no.csv}", "{no.csv}: no such file"),
    "a missing inverter": ("evaluate.py inverter.weights={no.ckpt}", "{no.ckpt}: no such file"),
    "an unknown control": ("evaluate.py controls=[noise]", "controls=['noise']"),
    "a width": ("train.py inverter.width=12", "inverter.width=12"),
    "an unknown way to features": ("train.py data.features=maybe", "data.features=maybe"),
    "a unit that is not there": ("explain.py maximise=fc8.64", "maximise=fc8.64: expected fc8.0 to fc8.63"),
    "a unit without a layer": ("explain.py maximise=9", "maximise=9: expected fc9, or a unit of conv1"),
    "no steps": ("explain.py maximise=fc9 maximisation.steps=0", "maximisation.steps=0: expected 1 or more"),
    "a hop of 0": ("train.py inverter.excerpts.hop=0", "excerpts.hop=0"),
}
IN_A_SHELL = ["no root", "a start beyond the end", "an unknown sampling", "resume without a run"]


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
    """The directory of results. Afterwards the logging and Hydra of this process are restored."""
    monkeypatch.setenv("SVDX_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(ROOT)
    root, state = logging.getLogger(), copy.deepcopy(Singleton.get_state())
    handlers, level = root.handlers[:], root.level
    yield tmp_path / "run"
    root.handlers[:], root.level = handlers, level
    Singleton.set_state(state)


def assert_nothing_half_written(run):
    assert {path.name.rpartition(".")[2] for path in run.iterdir()} <= {"hydra", "log", "yaml"}
    assert not any(list(run.parent.rglob(name)) for name in ("*.safetensors", "frontend.json", "*.part"))


def refused(command, message, place, run, monkeypatch, capfd):
    """Assert that the command ends with exit code 1 and one line that contains the message."""
    arguments = words(command, place, run)
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as end:
        runpy.run_path(arguments[0], run_name="__main__")
    assert end.value.code == 1
    error = capfd.readouterr().err
    assert "Traceback" not in error
    line = error.splitlines()[-1]
    assert line.startswith("svdx: ") and filled(message, place) in line
    assert_nothing_half_written(run)


@pytest.mark.parametrize("case", CASES)
def test_bad_input_ends_in_one_line(case, place, run, monkeypatch, capfd):
    refused(*CASES[case], place, run, monkeypatch, capfd)


@pytest.mark.parametrize("case", EARLY)
def test_mistakes_are_refused_before_anything_is_created(case, place, run, monkeypatch, capfd):
    refused(*EARLY[case], place, run, monkeypatch, capfd)
    assert not (run.parent / "cache").exists()


@pytest.mark.slow
@pytest.mark.parametrize("case", IN_A_SHELL)
def test_standard_error_holds_only_the_line(case, place, run):
    command, message = CASES[case]
    done = subprocess.run(
        [sys.executable, *words(command, place, run)],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ.copy(),
    )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("svdx: ") and filled(message, place) in line
    assert "Traceback" not in done.stdout
    assert_nothing_half_written(run)
