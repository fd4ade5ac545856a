"""What W&B would refuse is refused before the work."""

from pathlib import Path

import pytest
import wandb
from hydra import compose, initialize_config_dir

from svdx.app.loggers import expect_wandb, make_loggers, mode_of
from svdx.errors import ConfigError
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
        expect_wandb(configured(f"logger.wandb.mode={mode}"))
    monkeypatch.setenv("WANDB_MODE", mode)
    with pytest.raises(ConfigError, match=rf"logger.wandb.mode={mode}: no API key found"):
        expect_wandb(configured())
    monkeypatch.setattr(wandb, "login", lambda verify, prompt: True)
    expect_wandb(configured())


def test_a_mode_that_is_none_is_refused_and_an_empty_one_is_unset(monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "of")
    with pytest.raises(ConfigError, match=r"logger\.wandb\.mode=of: expected online, offline or disabled"):
        expect_wandb(configured())
    monkeypatch.setenv("WANDB_MODE", "")
    expect_wandb(configured())
    assert mode_of(configured().logger.wandb) == "offline"


@pytest.mark.parametrize("variable", ["WANDB_DATA_DIR", "WANDB_CACHE_DIR"])
def test_a_directory_that_cannot_be_written_is_named_with_its_variable(variable, monkeypatch, tmp_path):
    expect_wandb(configured())
    assert not (tmp_path / "home").exists()  # looked at, not made
    (tmp_path / "closed").touch()
    monkeypatch.setenv(variable, str(tmp_path / "closed/in a file"))
    with pytest.raises(ConfigError, match=rf"closed/in a file: cannot be written .* set {variable} to"):
        expect_wandb(configured())


def test_the_variable_of_wandb_is_heeded_and_the_command_line_wins(monkeypatch):
    assert configured().logger.wandb.mode == "offline"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert configured().logger.wandb.mode == "disabled"
    assert configured("logger.wandb.mode=offline").logger.wandb.mode == "offline"


def test_a_disabled_run_needs_nothing_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (tmp_path / "home").touch()  # nothing can be written there
    cfg = configured()
    expect_wandb(cfg)
    loggers = make_loggers(cfg, tmp_path / "run")
    loggers[1].log_metrics({"loss": 1.0})
    wandb.finish()
    assert not list(Path(tmp_path).rglob("*wandb*"))


def test_what_wandb_refuses_is_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"logger=wandb: refused by W&B .*Invalid project name 'a/b'") as refusal:
        make_loggers(configured("logger.wandb.project=a/b"), tmp_path)
    assert "\n" not in str(refusal.value)


def test_without_wandb_nothing_is_asked(monkeypatch, tmp_path):
    (tmp_path / "home").touch()
    expect_wandb(configured("logger=csv"))
