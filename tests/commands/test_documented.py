"""Runs every command line of README and docs as typed, in a copy of the working tree, with smaller sizes added."""

import os
import re
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests.conftest import write_corpus
from tests.support.documented import ROOT, commands, snippets

pytestmark = pytest.mark.slow

LONGEST = 600  # seconds per command
UNSET = ("WANDB", "SVDX", "HYDRA", "MAKE", "MFLAGS", "PYTEST")  # environment variables, some set by `make test`
TRAINING = ["classifier.fit.max_epochs=1", "classifier.fit.limit_train_batches=4", "classifier.excerpts.batch_size=4"]
TRAINING += [
    "inverter.fit.max_epochs=1",
    "++classifier.fit.check_val_every_n_epoch=1",
    "inverter.excerpts.batch_size=8",
]
EMBEDDED = ["data.n_train=4", "data.n_valid=2", "data.n_test=2", "data.seconds=8"]
COMPARED = ["compare.sanity.n=1", "compare.sanity.draws=1", "compare.sanity.layers=[fc9]", "compare.cost.seconds=0.01"]
COMPARED += [f"compare.methods.{name}.samples=8" for name in ("slime", "kernel_shap")]
COMPARED += ["compare.methods.inversion_optimised.steps=4", "compare.methods.extremal.steps=4", "excerpts.n=2"]
NETWORKS = re.compile(r"svdx\.(load|explain)\(")  # uses trained networks
NOT_RUN = {  # and why
    "make lint": "a step of .ci/run",
    "make docs": "a step of .ci/run",
    "make soak": "repeats other tests many times",
    "make test": "runs this test",
    "make test-fast": "a part of make test",
    "pip-audit --strict --no-deps --disable-pip -r constraints.txt": "asks a service on the network",
}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the working tree with this environment as .venv and with the files that the commands name."""
    place = tmp_path_factory.mktemp("checkout") / "svdx"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    environment = place / ".venv"
    environment.mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != "installed":
            (environment / path.name).symlink_to(path)
    (environment / "installed").touch()
    for name in ("DIR", "MIR1K"):
        write_corpus(place / name, splits={"train": 4, "valid": 2, "test": 2})
    sound = 0.1 * np.random.default_rng(0).standard_normal(14 * 22050)
    for name, kind in (("song.mp3", "MP3"), ("VIBE_ACE.ogg", "OGG"), ("FILE", "WAV"), ("DIR/a.ogg", "OGG")):
        with soundfile.SoundFile(place / name, "w", 22050, 1, format=kind) as file:
            for piece in np.split(sound, 14):  # libsndfile's ogg writer fails on longer blocks
                file.write(piece)
    return place


def typed(line, place):
    """Run a command line in a shell with the environment activated."""
    known = {key: value for key, value in os.environ.items() if not key.startswith(UNSET)}
    environment = {**known, "PATH": f"{place / '.venv/bin'}:{known['PATH']}", "OMP_NUM_THREADS": "1"}
    environment["BROWSER"] = "true"  # opens no window
    return subprocess.run(
        ["bash", "-c", line], cwd=place, env=environment, capture_output=True, text=True, timeout=LONGEST
    )


def sizes(line):
    """Overrides that make a command line quick."""
    script = re.search(r"(train|evaluate|explain)\.py", line)
    if not script:
        return ["features"] if line.endswith("-m benchmarks") else []  # one of the table's parts
    if "plot=" in line or "gather=" in line:
        return []
    added = [*TRAINING, "inverter.excerpts.hop=40"]
    added += [] if "data=" in line else EMBEDDED
    added += [] if script[1] == "train" else ["excerpts.n=9"] if script[1] == "evaluate" else []
    added += COMPARED if "experiment=compare" in line else []
    return added + (["maximisation.steps=4"] if "maximise=" in line else [])


def run(line, place):
    """Run a command that must succeed; returns its standard output."""
    done = typed(line, place)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def newest(place, pattern):
    return max(place.glob(pattern), key=lambda path: path.stat().st_mtime)


def provide(line, place):
    """Provide the files that a command or snippet expects from an earlier command."""
    models = {"SYNTHETIC": "synthetic-*", "CORPUS": "synthetic-*"}
    for name, pattern in models.items():
        link = place / "cache/models" / name
        if (name in line or NETWORKS.search(line)) and not link.exists():
            if not list(place.glob(f"cache/models/{pattern}/inverter*.safetensors")):
                run(f"python train.py {' '.join(sizes('python train.py'))}", place)
            link.symlink_to(newest(place, f"cache/models/{pattern}"))
    if "gather=DIR" in line:
        if not list(place.glob("runs/evaluate/sweep_*/curve.csv")):
            few = "python evaluate.py -m explainer.threshold=0.2,0.6"
            run(f"{few} {' '.join(sizes(few))}", place)
        shutil.copytree(newest(place, "runs/evaluate/sweep_*/curve.csv").parent, place / "DIR", dirs_exist_ok=True)
    if "plot=curve.csv" in line:
        if not list(place.glob("runs/evaluate/*/curve.csv")):
            run(f"python evaluate.py {' '.join(sizes('python evaluate.py'))}", place)
        shutil.copy(newest(place, "runs/evaluate/*/curve.csv"), place)


PYTHON = [line for line in commands() if line.startswith("python ")]


@pytest.mark.parametrize("line", PYTHON, ids=str)
def test_a_command_runs_as_typed(checkout, line):
    provide(line, checkout)
    if "trainer.gpus=1" in line and not torch.cuda.is_available():
        refused = typed(line, checkout)
        assert refused.returncode == 1 and "0 GPU(s) found" in refused.stderr
        line += " trainer.gpus=0"
    run(" ".join([line, *sizes(line)]), checkout)


@pytest.mark.parametrize("target", ["demo", "bench", "fuzz CASES=20000 SEED=1"])
def test_the_commands_of_a_target_run(checkout, target):
    recipe = run(f"make -n {target}", checkout).splitlines()
    assert not any("pip install" in line for line in recipe)
    for line in recipe:
        run(" ".join([line.replace("20000", "20"), *sizes(line)]), checkout)


def test_the_list_of_targets_is_shown(checkout):
    assert "demo" in run("make help", checkout)


@pytest.mark.parametrize("line", [line for line in commands() if line.startswith("pip install")])
def test_a_named_extra_exists(line):
    extras = re.findall(r"\[(.*?)\]", line)
    text = (ROOT / "pyproject.toml").read_text()
    assert all(re.search(rf"^{extra} = \[", text, re.M) for extra in extras)


@pytest.mark.parametrize("code", snippets())
def test_a_python_snippet_runs(checkout, code):
    provide(code, checkout)
    (checkout / "snippet.py").write_text(code)
    run("python snippet.py", checkout)


def test_every_command_is_covered():
    tried = [PYTHON, NOT_RUN, ["make demo", "make help", "make bench", "make fuzz CASES=20000 SEED=1"]]
    tried.append(line for line in commands() if line.startswith("pip install"))
    assert set(commands()) == set(chain.from_iterable(tried))
    assert len(PYTHON) > 20
