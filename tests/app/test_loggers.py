"""What a logger would refuse is refused before the work, and what it shows."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
import wandb
from hydra import compose, initialize_config_dir
from PIL import Image

from svdx.app.loggers import check_loggers, make_loggers, wandb_mode
from svdx.callbacks.pictures import log_media, log_results
from svdx.errors import ConfigError
from svdx.report.files import write_wav
from tests.app.test_configs import CONF

VARIABLES = ("WANDB_MODE", "WANDB_API_KEY", "WANDB_DATA_DIR", "WANDB_CACHE_DIR")


@pytest.fixture(autouse=True)
def stranger(monkeypatch, tmp_path):
    """Somebody without an account, whose home is empty."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr(wandb, "login", lambda verify, prompt: False)


def configured(*words):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("evaluate", ["logger=wandb", "paths.run=run", *words])


@pytest.mark.parametrize("mode", ["online", "shared", "run"])
def test_a_run_on_the_server_needs_a_key(mode, monkeypatch):
    with pytest.raises(ConfigError, match=rf"logger.wandb.mode={mode}: no API key found: run `wandb login`"):
        check_loggers(configured(f"logger.wandb.mode={mode}"))
    monkeypatch.setenv("WANDB_MODE", mode)
    with pytest.raises(ConfigError, match=rf"logger.wandb.mode={mode}: no API key found"):
        check_loggers(configured())
    monkeypatch.setattr(wandb, "login", lambda verify, prompt: True)
    check_loggers(configured())


def test_an_unknown_mode_is_refused_and_an_empty_one_is_unset(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "of")
    with pytest.raises(ConfigError, match=r"logger\.wandb\.mode=of: expected online, offline or disabled"):
        check_loggers(configured())
    monkeypatch.setenv("WANDB_MODE", "")
    check_loggers(configured())
    assert wandb_mode(configured().logger.wandb) == "offline"


@pytest.mark.parametrize("variable", ["WANDB_DATA_DIR", "WANDB_CACHE_DIR"])
def test_a_directory_that_cannot_be_written_is_named_with_its_variable(variable, monkeypatch, tmp_path):
    check_loggers(configured())
    assert not (tmp_path / "home").exists()  # looked at, not made
    (tmp_path / "closed").touch()
    monkeypatch.setenv(variable, str(tmp_path / "closed/in a file"))
    with pytest.raises(ConfigError, match=rf"closed/in a file: cannot be written .* set {variable} to"):
        check_loggers(configured())


def test_the_command_line_overrides_the_variable_of_wandb(monkeypatch):
    assert configured().logger.wandb.mode == "offline"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert configured().logger.wandb.mode == "disabled"
    assert configured("logger.wandb.mode=offline").logger.wandb.mode == "offline"


def test_a_disabled_run_needs_nothing_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (tmp_path / "home").touch()  # nothing can be written there
    cfg = configured()
    check_loggers(cfg)
    loggers = make_loggers(cfg, tmp_path / "run")
    loggers[1].log_metrics({"loss": 1.0})
    wandb.finish()
    assert not list(Path(tmp_path).rglob("*wandb*"))


def test_what_wandb_refuses_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"logger=wandb: refused by W&B .*Invalid project name 'a/b'") as refusal:
        make_loggers(configured("logger.wandb.project=a/b"), tmp_path)
    assert "\n" not in str(refusal.value)


def test_without_wandb_nothing_is_checked(monkeypatch, tmp_path):
    (tmp_path / "home").touch()
    check_loggers(configured("logger=csv"))


def test_tensorboard_and_mlflow_get_pictures_and_sounds(tmp_path, monkeypatch):
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    picture, sound = tmp_path / "excerpt-00000.png", tmp_path / "excerpt-00000.wav"
    Image.new("RGB", (4, 3)).save(picture)
    write_wav(sound, torch.zeros(100), 22050)
    loggers = make_loggers(configured("logger=[tensorboard,mlflow]"), tmp_path / "run")
    assert [type(logger).__name__ for logger in loggers] == ["MetricsCsv", "TensorBoardLogger", "MLFlowLogger"]
    log_media(loggers, {"explanations": {picture: "a"}}, {"sounds": {sound: "b"}}, {"rows": [{"a": 1}]}, step=3)
    log_results(loggers, {"loss": 0.5})
    events = accumulator.EventAccumulator(str(tmp_path / "run/tensorboard"))
    events.Reload()
    assert events.Tags()["images"] == ["explanations/excerpt-00000"]
    assert events.Tags()["audio"] == ["sounds/excerpt-00000"] and events.Tags()["scalars"] == ["loss"]
    shown = (path.relative_to(tmp_path / "run/mlruns") for path in (tmp_path / "run/mlruns").rglob("excerpt-*"))
    assert {Path(*path.parts[3:]) for path in shown} == {
        Path("explanations/step-3/excerpt-00000.png"),
        Path("sounds/step-3/excerpt-00000.wav"),
    }
    assert not (tmp_path / "run/metrics.csv").exists()  # results are no rows of a training
    make_loggers(configured("logger=mlflow"), tmp_path / "another run")
    assert list((tmp_path / "another run/mlruns").rglob("params"))  # not where the first one is


@pytest.mark.parametrize(("logger", "title"), [("tensorboard", "TensorBoard"), ("mlflow", "MLflow")])
def test_a_logger_without_its_package_names_the_pip_command(logger, title, monkeypatch):
    check_loggers(configured(f"logger={logger}"))
    monkeypatch.setattr("svdx.app.loggers.find_spec", lambda name: None)
    with pytest.raises(ConfigError) as error:
        check_loggers(configured(f"logger={logger}"))
    assert str(error.value) == f"logger={logger}: {title} is not installed: pip install 'svdx[{logger}]'"


def test_wandb_is_imported_only_where_it_is_configured(tmp_path):
    program = (
        "import sys; from hydra import compose, initialize_config_dir;"
        "import svdx.commands.train, svdx.commands.evaluate;"
        f"initialize_config_dir({str(CONF)!r}, version_base='1.3').__enter__();"
        f"from svdx.app.loggers import check_loggers, make_loggers; cfg = compose('train', ['paths.run={tmp_path}']);"
        f"from pathlib import Path; check_loggers(cfg); make_loggers(cfg, Path({str(tmp_path)!r}));"
        "sys.exit('wandb' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=300).returncode == 0
