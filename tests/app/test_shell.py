"""Commands in a shell: closed pipes, ASCII terminals, notebooks, Ctrl-C."""

import io
import os
import shlex
import signal
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from svdx.app import shell as module
from svdx.app.cli import command
from svdx.app.shell import INTERRUPTED, run, steady_streams
from tests.callbacks.test_resuming import TRAIN, until
from tests.support.command_line import LONGEST, ROOT, epochs


@pytest.fixture
def song(tiny_corpus, tmp_path):
    """A track whose name not every terminal knows."""
    path = tmp_path / "Müsic 音楽.wav"
    path.symlink_to(next(tiny_corpus.root.glob("audio/test0.wav")))
    return path


def explained(words, song, place, after="", **environment):
    """Standard output and error of a process of its own, and the directory of its results."""
    words = [sys.executable, "explain.py", *words, f"audio={song}", f"hydra.run.dir={place / 'run'}"]
    inherited = {key: value for key, value in os.environ.items() if key not in ("MPLBACKEND", "PYTHONIOENCODING")}
    line = f"set -o pipefail; {shlex.join(words)} {after}"
    done = subprocess.run(
        ["bash", "-c", line], cwd=ROOT, env={**inherited, **environment}, capture_output=True, timeout=LONGEST
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert (place / "run/report.html").is_file()
    return done.stdout


@pytest.mark.slow
def test_a_closed_pipe_does_not_stop_a_command(untrained, song, tmp_path):
    output = explained(untrained, song, tmp_path, "| head -n 1")
    assert output.count(b"\n") == 1
    assert b"open " in (tmp_path / "run/explain.log").read_bytes()  # which has all of it


@pytest.mark.slow
def test_an_ascii_terminal_gets_escapes_and_the_log_file_utf8(untrained, song, tmp_path):
    output = explained(untrained, song, tmp_path, PYTHONIOENCODING="ascii")
    assert b"file: M\\xfcsic \\u97f3\\u697d.wav" in output
    assert "file: Müsic 音楽.wav" in (tmp_path / "run/explain.log").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_missing_notebook_backend_is_ignored(untrained, song, tmp_path):
    explained(untrained, song, tmp_path, MPLBACKEND="module://matplotlib_inline.backend_inline")


def test_output_to_a_closed_pipe_is_dropped(monkeypatch):
    read, write = os.pipe()
    with os.fdopen(write, "w", encoding="ascii") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        with steady_streams():
            print("ü")
            sys.stdout.flush()
            assert os.read(read, 10) == b"\\xfc\n"
            os.close(read)
            print("nobody reads this")
            sys.stdout.flush()
        assert sys.stdout is stream


def interrupted(*_):
    raise KeyboardInterrupt


def test_ctrl_c_during_the_imports_is_one_line(monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setattr(module, "import_module", interrupted)
    with pytest.raises(SystemExit) as end:
        run(str(ROOT / "train.py"))
    assert end.value.code == INTERRUPTED == 130
    assert capfd.readouterr().err == "svdx: interrupted\n"


@pytest.mark.slow
@pytest.mark.parametrize("several", [False, True], ids=["a run", "a sweep"])
def test_ctrl_c_in_a_training_tells_how_to_resume(shell, tiny_corpus, several):
    name = f"interrupted-{several}"
    words = [
        *TRAIN,
        f"data.root={tiny_corpus.root}",
        "model=svdnet",
        "++classifier.fit.max_epochs=12",
        *["-m", "seed=0,1"] * several,
    ]
    training = shell.place / name / ("0" if several else "")
    process = shell.start(name, "train.py", *words)
    until(lambda: (training / "checkpoints/last.ckpt").is_file() or not process.is_alive())
    os.kill(process.pid, signal.SIGINT)
    process.join(LONGEST)
    line = shell.said(name).stderr
    kind = "sweep" if several else "run"
    options = f"hydra.{kind}.dir={shell.place / name} resume=true"
    assert process.exitcode == 130 and line == f"svdx: interrupted; to go on: the same command with {options}\n"
    assert not (training / "summary.json").exists() and not (shell.place / name / "1").exists()
    shell(name, "train.py", *words, "resume=true")
    assert epochs(training) == 12
    assert (shell.place / name / "1/summary.json").is_file() or not several


def test_ctrl_c_in_another_command_names_its_directory(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        command(interrupted)(OmegaConf.create({"paths": {"run": str(tmp_path / "a run")}}))
    assert end.value.code == 130
    output = f"svdx: interrupted; to go on: the same command with 'hydra.run.dir={tmp_path}/a run'\n"
    assert capsys.readouterr().err == output
    with pytest.raises(SystemExit):
        command(interrupted)(OmegaConf.create({"paths": {"run": "runs"}, "overwrite": True}))
    assert capsys.readouterr().err.endswith("with hydra.run.dir=runs, without overwrite=true\n")


@pytest.mark.parametrize(
    "words", [["hydra.run.dir={}/x"], ["-m", "seed=0,1", "hydra.sweep.dir={}/x"]], ids=["run", "sweep"]
)
def test_a_results_directory_that_cannot_be_written_is_refused_in_one_line(words, tmp_path, monkeypatch, capfd):
    (tmp_path / "file").touch()
    monkeypatch.setattr(sys, "argv", ["train.py", *(word.format(tmp_path / "file") for word in words)])
    with pytest.raises(SystemExit) as end:
        run(str(ROOT / "train.py"))
    kind = words[-1].partition("=")[0]
    output = f"svdx: {tmp_path}/file/x: cannot be written (Not a directory): give another {kind}\n"
    assert end.value.code == 1 and capfd.readouterr().err == output


@pytest.mark.parametrize("stream", [None, io.StringIO()], ids=["closed", "of a notebook"])
def test_a_stream_without_a_file_is_unchanged(monkeypatch, stream):
    monkeypatch.setattr(sys, "stdout", stream)
    with steady_streams():
        assert sys.stdout is stream


@pytest.mark.parametrize(
    "code",
    ["import svdx.report.figures", "import svdx, matplotlib.pyplot", "import benchmarks.features"],
)
def test_importing_svdx_works_with_a_missing_notebook_backend(code):
    environment = {**os.environ, "MPLBACKEND": "module://matplotlib_inline.backend_inline"}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, check=True, timeout=LONGEST)


@pytest.mark.parametrize("words", [["song.mp3"], ["--audio", "song.mp3"], ["data=folder", "song.mp3", "start=10"]])
def test_a_word_without_a_key_is_refused_in_one_line(words, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["explain.py", *words])
    with pytest.raises(SystemExit) as end:
        run(str(ROOT / "explain.py"))
    assert end.value.code == 1
    assert capfd.readouterr().err == "svdx: song.mp3: expected KEY=VALUE, as audio=FILE for an audio file\n"


@pytest.mark.parametrize("words", [["-m", "--cfg", "job"], ["--multirun", "--info"]])
def test_flags_of_hydra_that_exclude_each_other_are_refused_in_one_line(words, monkeypatch, capfd):
    monkeypatch.setattr(sys, "argv", ["train.py", *words])
    with pytest.raises(SystemExit) as end:
        run(str(ROOT / "train.py"))
    error = capfd.readouterr().err
    assert end.value.code == 1 and error.count("\n") == 1
    assert error.startswith("svdx: --multirun and --") and error.endswith(" exclude each other: give one of them\n")


LIGHT = {  # words → exit code of a command that needs neither torch nor Lightning
    "train.py --help": 0,
    "explain.py audio=no.mp3": 1,
    "explain.py start=-1": 1,
    "evaluate.py classifier.weights=no.npz": 1,
}


@pytest.mark.parametrize("words, exit_code", LIGHT.items())
def test_help_and_mistakes_in_settings_import_nothing_heavy(words, exit_code, tmp_path):
    script, *arguments = words.split()
    code = (
        "import runpy, sys\n"
        f"sys.argv = {[script, *arguments, f'hydra.run.dir={tmp_path}/run']}\n"
        "try:\n    runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end:\n    exit_code = end.code\n"
        "heavy = {'torch', 'pytorch_lightning', 'wandb', 'matplotlib', 'scipy'} & set(sys.modules)\n"
        "print(exit_code or 0, *heavy)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=LONGEST)
    assert done.stdout.splitlines()[-1] == str(exit_code), done.stderr
