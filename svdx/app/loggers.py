"""The configured loggers of a run: metrics.csv, W&B, TensorBoard and MLflow."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_class
from omegaconf import DictConfig
from pydantic import ValidationError
from pytorch_lightning.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from svdx.app.metrics_csv import MetricsCsv
from svdx.app.multirun import common_overrides, in_multirun, sweep_jobs
from svdx.app.settings import build, plain
from svdx.errors import ConfigError, expect_writable

ONLINE_MODES = {"online", "run", "shared"}  # of W&B; these need an account
OFFLINE_MODES = {"offline", "dryrun", "disabled"}
MLFLOW_URI = "MLFLOW_TRACKING_URI"
OFFLINE = "logger.wandb.mode=offline needs no account"
PACKAGES = {TensorBoardLogger: ("tensorboard", "TensorBoard"), MLFlowLogger: ("mlflow", "MLflow")}


def make_loggers(cfg: DictConfig, directory: Path) -> list[Logger]:
    """The loggers of a configuration, writing into `directory`. All but metrics.csv also get the configuration."""
    directory.mkdir(parents=True, exist_ok=True)
    return [_make_logger(node, cfg, directory) for node in cfg.logger.values()]


def _make_logger(node: DictConfig, cfg: DictConfig, directory: Path) -> Logger:
    if get_class(node._target_) is MLFlowLogger:
        return _make_mlflow(node, cfg, directory / "mlruns")
    logger = build(node, save_dir=str(directory), **labels(node))
    if isinstance(logger, WandbLogger):
        begin_wandb(logger, cfg)
    elif not isinstance(logger, MetricsCsv):
        logger.log_hyperparams(plain(cfg))
    return logger


def _make_mlflow(node: DictConfig, cfg: DictConfig, directory: Path) -> Logger:
    """MLflow's logger. MLflow sets its environment variable to the place of this run, where the next one would read it:
    that is undone. Raises: ConfigError if MLflow refuses."""
    from mlflow.exceptions import MlflowException

    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # mlflow-skinny has no other local store
    before = os.environ.get(MLFLOW_URI)
    try:
        logger = build(node, save_dir=str(directory), **labels(node))
        logger.log_hyperparams(plain(cfg))
    except MlflowException as error:
        raise ConfigError(f"logger=mlflow: refused by MLflow ({' '.join(str(error).split())})") from error
    finally:
        os.environ.pop(MLFLOW_URI, None)
        os.environ.update({MLFLOW_URI: before} if before else {})
    return logger


def finish(loggers: Sequence[Logger]) -> None:
    """End the W&B run of a training, so that the next training begins a run of its own."""
    if any(isinstance(logger, WandbLogger) for logger in loggers):
        import wandb

        wandb.finish()


def begin_wandb(logger: WandbLogger, cfg: DictConfig) -> None:
    """Begin the W&B run, with the whole configuration. Raises: ConfigError if W&B refuses."""
    import wandb

    try:
        logger.log_hyperparams(plain(cfg))
    except (wandb.errors.Error, ValidationError) as error:  # of its service, or of its settings
        reason = " ".join(str(error).split())
        raise ConfigError(f"logger=wandb: refused by W&B ({reason}); {OFFLINE}") from error


def check_loggers(cfg: DictConfig) -> None:
    """Refuse, before the work begins, a logger whose package is missing, and W&B without a key or a place for its
    files. Raises: ConfigError."""
    kinds = {get_class(node._target_): node for node in cfg.logger.values()}
    for kind, (package, title) in PACKAGES.items():
        if kind in kinds and find_spec(package) is None:
            raise ConfigError(f"logger={package}: {title} is not installed: pip install 'svdx[{package}]'")
    if WandbLogger in kinds:
        _check_wandb(wandb_mode(kinds[WandbLogger]))


def _check_wandb(mode: str) -> None:
    import wandb
    from wandb import env

    if mode not in ONLINE_MODES | OFFLINE_MODES:
        raise ConfigError(f"logger.wandb.mode={mode}: expected online, offline or disabled; so for WANDB_MODE")
    if mode == "disabled":
        return
    for directory, variable in ((env.get_data_dir(), env.DATA_DIR), (env.get_cache_dir(), env.CACHE_DIR)):
        expect_writable(directory, f"logger=wandb writes there; set {variable} to a directory that can be written")
    looks_for_key = os.environ.get(env.MODE) not in OFFLINE_MODES  # in these `login` does not
    if mode in ONLINE_MODES and looks_for_key and not wandb.login(verify=False, prompt=False):
        raise ConfigError(f"logger.wandb.mode={mode}: no API key found: run `wandb login`; {OFFLINE}")


def wandb_mode(logger: DictConfig) -> str:
    """W&B's mode of a run; an empty WANDB_MODE counts as unset."""
    return logger.get("mode") or "offline"


def labels(logger: DictConfig) -> dict[str, str]:
    """W&B's mode, and the name and group of a job of a multirun, unless the logger's node has them.

    The name is made of the overrides that differ between the jobs, the group is the sweep's directory.
    """
    kind = get_class(logger._target_)
    mode = {"mode": wandb_mode(logger)} if kind is WandbLogger else {}
    if kind not in (WandbLogger, MLFlowLogger) or not in_multirun():
        return mode
    job = HydraConfig.get()
    sweep = Path(job.sweep.dir).resolve()
    common = common_overrides(sweep_jobs(sweep).values())
    name = ",".join(override for override in job.overrides.task if override not in common)
    own = {"group": sweep.name, "name": name} if kind is WandbLogger else {"run_name": name}
    return mode | {key: label for key, label in own.items() if label and key not in logger}
