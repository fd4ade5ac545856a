"""A training that is killed, or told to stop, goes on to the very weights of one that was left alone."""

import signal
import time

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from pytorch_lightning.utilities.exceptions import SIGTERMException
from safetensors.torch import load_file

from svdx.app.cli import command
from svdx.errors import ConfigError
from svdx.training.checkpoints import BEFORE, LAST, Checkpoints, latest_valid_checkpoint
from tests.support.at_once import TRIALS
from tests.support.command_line import LONGEST, Shell

CLASSIFIER = ("limit_train_batches=3", "max_epochs=4", "check_val_every_n_epoch=2")
TRAIN = (
    *("data=folder", *(f"++classifier.fit.{word}" for word in CLASSIFIER), "classifier.excerpts.batch_size=2"),
    *("inverter.width=8", "inverter.fit.max_epochs=8", "++inverter.fit.check_val_every_n_epoch=9"),
    *("inverter.excerpts.hop=4", "inverter.excerpts.batch_size=8"),
)


def weights(shell):
    """Bytes of the weights of classifier and inverter, by file and name."""
    files = shell.cache.glob("models/*/*.safetensors")
    return {(path.name, name): w.numpy().tobytes() for path in files for name, w in load_file(path).items()}


def begun(shell):
    """Wait until a training has begun: what is killed before that is simply begun anew."""
    until(lambda: (shell.place / "run/config.yaml").exists())


def until(condition):
    begin = time.monotonic()
    while not condition():
        assert time.monotonic() - begin < LONGEST
        time.sleep(0.01)


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory, tiny_corpus):
    """A training's words, the weights of one that nobody stopped, and the seconds that it took."""
    shell, words = Shell(tmp_path_factory.mktemp("left_alone")), (*TRAIN, f"data.root='{tiny_corpus.root}'")
    process = shell.start("run", "train.py", *words)
    begun(shell)
    begin = time.monotonic()
    process.join(LONGEST)
    found = weights(shell)
    assert process.exitcode == 0, shell.said("run").stderr
    assert {file for file, _ in found} == {"classifier.safetensors", "inverter.safetensors"}
    return words, found, time.monotonic() - begin


def stopped_and_resumed(words, place, how, when):
    """The weights of a training that gets a signal when `when(shell)` returns, and then is gone on with."""
    shell = Shell(place)
    process = shell.start("run", "train.py", *words)
    begun(shell)
    when(shell)
    process.kill() if how == signal.SIGKILL else process.terminate()
    process.join(LONGEST)
    stopped = shell.said("run")
    if process.exitcode:
        shell("run", "train.py", *words, "resume=true")
    return weights(shell), process.exitcode, stopped, shell.said("run")


@pytest.mark.slow
@pytest.mark.parametrize("trial", TRIALS)
def test_killed_at_any_moment_a_training_resumes_to_the_same_weights(left_alone, tmp_path, trial):
    words, expected, seconds = left_alone
    moment = seconds * np.random.default_rng(trial).uniform(0, 1)
    found, *_ = stopped_and_resumed(words, tmp_path, signal.SIGKILL, lambda shell: time.sleep(moment))
    assert found == expected


def test_after_sigterm_a_training_saves_its_update_and_resumes_to_the_same_weights(left_alone, tmp_path):
    def inside_an_epoch(shell):
        until(lambda: "inverter epoch 1/8" in shell.said("run").stdout)
        time.sleep(0.05)

    words, expected, _ = left_alone
    found, code, stopped, resumed = stopped_and_resumed(words, tmp_path, signal.SIGTERM, inside_an_epoch)
    assert found == expected
    assert code == 128 + signal.SIGTERM
    (line,) = stopped.stderr.splitlines()[-1:]
    assert line.startswith("svdx: stopped by SIGTERM") and "resume=true" in line  # between updates without their number
    assert "Traceback" not in stopped.stderr
    assert "epoch 1/8" not in resumed.stdout and "epoch 8/8" in resumed.stdout


def checkpoint(directory, step):
    Checkpoints().save_checkpoint({"step": step, "weights": torch.full((1000,), float(step))}, directory / LAST)


def test_sigterm_outside_an_update_is_no_success(capsys, tmp_path):
    @command
    def main(cfg):
        raise SIGTERMException

    (tmp_path / "config.yaml").touch()
    with pytest.raises(SystemExit) as end:
        main(OmegaConf.create({"paths": {"run": str(tmp_path)}, "resume": False}))
    assert end.value.code == 128 + signal.SIGTERM
    said = f"svdx: stopped by SIGTERM; to go on: the same command with hydra.run.dir={tmp_path} resume=true\n"
    assert capsys.readouterr().err == said


def test_the_previous_checkpoint_is_kept_and_used_if_the_last_is_damaged(tmp_path, caplog):
    assert latest_valid_checkpoint(tmp_path) is None
    checkpoint(tmp_path, 1)
    checkpoint(tmp_path, 2)
    assert {path.name for path in tmp_path.iterdir()} == {LAST, BEFORE}
    assert latest_valid_checkpoint(tmp_path) == tmp_path / LAST
    whole = (tmp_path / LAST).read_bytes()
    inside = whole.index(torch.full((10,), 2.0).numpy().tobytes())
    for torn in (whole[: len(whole) // 2], b"", whole[:inside] + b"\xff" + whole[inside + 1 :]):
        (tmp_path / LAST).write_bytes(torn)
        caplog.clear()
        found = latest_valid_checkpoint(tmp_path)
        assert found == tmp_path / BEFORE and "damaged" in caplog.text
        assert torch.load(found, weights_only=True)["step"] == 1
    (tmp_path / BEFORE).write_bytes(b"")
    with pytest.raises(ConfigError, match=r"no checkpoint in .* can be read"):
        latest_valid_checkpoint(tmp_path)


def test_a_full_disk_keeps_the_old_checkpoint(tmp_path, monkeypatch):
    checkpoint(tmp_path, 1)
    before = (tmp_path / LAST).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ConfigError, match=r"last.ckpt: cannot be written \(No space left on device\)"):
        checkpoint(tmp_path, 2)
    assert (tmp_path / LAST).read_bytes() == before
