"""A training that is killed, or told to stop, goes on to the very weights of one that was left alone."""

import shutil
import signal
import time

import numpy as np
import pytest
import torch
from command_line import CORPUS, LONGEST, Shell
from safetensors.torch import load_file

from svdx.checkpoints import BEFORE, LAST, Checkpoints, newest_sound
from svdx.errors import ConfigError

SMALL = ("classifier.fit.limit_train_batches=6", "classifier.excerpts.batch_size=8", "classifier.fit.max_epochs=2")
TRAIN = (*CORPUS, *SMALL, "inverter.width=8", "inverter.fit.max_epochs=4", "inverter.excerpts.hop=10")


def weights(shell):
    """Bytes of the weights of classifier and inverter, by file and name."""
    files = shell.cache.glob("models/*/*.safetensors")
    return {(path.name, name): w.numpy().tobytes() for path in files for name, w in load_file(path).items()}


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory):
    """A place with the corpus alone, the weights of a training that nobody stopped, and the seconds that it took."""
    shell = Shell(tmp_path_factory.mktemp("left_alone"))
    shell("first", "train.py", *TRAIN)
    found = weights(shell)
    assert {file for file, _ in found} == {"classifier.safetensors", "inverter.safetensors"}
    shutil.rmtree(shell.cache / "models")
    begin = time.monotonic()
    shell("second", "train.py", *TRAIN)
    seconds = time.monotonic() - begin
    assert weights(shell) == found
    shutil.rmtree(shell.cache / "models")
    return shell.place, found, seconds


def stopped_and_resumed(left_alone, place, how, when):
    """The weights of a training that gets a signal when `when(shell)` returns, and then is gone on with."""
    before, _, _ = left_alone
    shutil.copytree(before / "cache", place / "cache")
    shell = Shell(place)
    process = shell.start("run", "train.py", *TRAIN)
    when(shell)
    process.kill() if how == signal.SIGKILL else process.terminate()
    process.join(LONGEST)
    stopped = shell.said("run")
    if process.exitcode:
        words = ["resume=true"] if (place / "run/config.yaml").exists() else []
        shell("run", "train.py", *TRAIN, *words)
    return weights(shell), process.exitcode, stopped, shell.said("run")


@pytest.mark.parametrize("trial", [*range(3), *(pytest.param(trial, marks=pytest.mark.slow) for trial in range(3, 20))])
def test_killed_at_any_moment_it_goes_on_to_the_same_weights(left_alone, tmp_path, trial):
    _, expected, seconds = left_alone
    moment = seconds * np.random.default_rng(trial).uniform(0.2, 1)
    found, *_ = stopped_and_resumed(left_alone, tmp_path, signal.SIGKILL, lambda shell: time.sleep(moment))
    assert found == expected


def until(shell, words):
    """Wait until the run has said these words."""
    begin = time.monotonic()
    while words not in shell.said("run").stdout:
        assert time.monotonic() - begin < LONGEST
        time.sleep(0.01)


def test_told_to_stop_it_saves_the_update_in_hand_and_goes_on_to_the_same_weights(left_alone, tmp_path):
    def inside_an_epoch(shell):
        until(shell, "inverter epoch 1/4")
        time.sleep(0.05)

    found, code, stopped, resumed = stopped_and_resumed(left_alone, tmp_path, signal.SIGTERM, inside_an_epoch)
    assert found == left_alone[1]
    assert code == 128 + signal.SIGTERM
    (line,) = stopped.stderr.splitlines()[-1:]
    assert line.startswith("svdx: stopped by SIGTERM after ") and "resume=true" in line
    assert "Traceback" not in stopped.stderr
    assert "epoch 1/4" not in resumed.stdout and "epoch 4/4" in resumed.stdout


def checkpoint(directory, step):
    Checkpoints().save_checkpoint({"step": step, "weights": torch.full((1000,), float(step))}, directory / LAST)


def test_the_checkpoint_before_is_kept_and_taken_where_the_last_is_torn(tmp_path, caplog):
    assert newest_sound(tmp_path) is None
    checkpoint(tmp_path, 1)
    checkpoint(tmp_path, 2)
    assert {path.name for path in tmp_path.iterdir()} == {LAST, BEFORE}
    assert newest_sound(tmp_path) == tmp_path / LAST
    whole = (tmp_path / LAST).read_bytes()
    inside = whole.index(torch.full((10,), 2.0).numpy().tobytes())
    for torn in (whole[: len(whole) // 2], b"", whole[:inside] + b"\xff" + whole[inside + 1 :]):
        (tmp_path / LAST).write_bytes(torn)
        caplog.clear()
        found = newest_sound(tmp_path)
        assert found == tmp_path / BEFORE and "damaged" in caplog.text
        assert torch.load(found, weights_only=True)["step"] == 1
    (tmp_path / BEFORE).write_bytes(b"")
    with pytest.raises(ConfigError, match=r"no checkpoint in .* can be read"):
        newest_sound(tmp_path)


def test_a_disk_that_is_full_leaves_the_checkpoint_that_was_there(tmp_path, monkeypatch):
    checkpoint(tmp_path, 1)
    before = (tmp_path / LAST).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match=r"last.ckpt: cannot be written \(No space left on device\)"):
        checkpoint(tmp_path, 2)
    assert (tmp_path / LAST).read_bytes() == before
