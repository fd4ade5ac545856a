"""The configured loggers of a run: metrics.csv, and Weights & Biases with a sweep's jobs told apart."""

from __future__ import annotations

import os
from pathlib import Path

import wandb
from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from pydantic import ValidationError
from pytorch_lightning.loggers import Logger, WandbLogger
from wandb import env

from svdx.app.metrics_csv import MetricsCsv
from svdx.app.multirun import in_multirun, jobs, shared
from svdx.app.settings import build
from svdx.errors import ConfigError, expect_writable

ONLINE_MODES = {"online", "run", "shared"}  # of W&B; these need an account
OFFLINE_MODES = {"offline", "dryrun", "disabled"}
OFFLINE = "logger.wandb.mode=offline needs no account"


def make_loggers(cfg: DictConfig, directory: Path) -> list[Logger]:
    """The loggers of a configuration, writing into `directory`; W&B is told the whole configuration."""
    loggers = [build(node, save_dir=str(directory), **labels(node)) for node in cfg.logger.values()]
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            begin_wandb(logger, cfg)
        elif isinstance(logger, MetricsCsv):
            logger.keep = bool(cfg.get("resume"))
    return loggers


def begin_wandb(logger: WandbLogger, cfg: DictConfig) -> None:
    """Begin the run, with the whole configuration. Raises: ConfigError where W&B refuses."""
    try:
        logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))
    except (wandb.errors.Error, ValidationError) as error:  # of its service, or of its settings
        reason = " ".join(str(error).split())
        raise ConfigError(f"logger=wandb: refused by W&B ({reason}); {OFFLINE}") from error


def expect_wandb(cfg: DictConfig) -> None:
    """Refuse before the work what W&B would tell after it: that it has no key, or cannot write its own files.

    Raises: ConfigError.
    """
    modes = {mode_of(node) for node in cfg.logger.values() if get_class(node._target_) is WandbLogger}
    for mode in modes - ONLINE_MODES - OFFLINE_MODES:
        raise ConfigError(f"logger.wandb.mode={mode}: expected online, offline or disabled; so for WANDB_MODE")
    if not modes - {"disabled"}:
        return
    for directory, variable in ((env.get_data_dir(), env.DATA_DIR), (env.get_cache_dir(), env.CACHE_DIR)):
        expect_writable(directory, f"logger=wandb writes there; set {variable} to a directory that can be written")
    looks = os.environ.get(env.MODE) not in OFFLINE_MODES  # in those `login` looks for no key
    for mode in modes & ONLINE_MODES:
        if looks and not wandb.login(verify=False, prompt=False):
            raise ConfigError(f"logger.wandb.mode={mode}: no API key found: run `wandb login`; {OFFLINE}")


def mode_of(logger: DictConfig) -> str:
    """W&B's mode of a run; an empty WANDB_MODE counts as unset."""
    return logger.get("mode") or "offline"


def labels(logger: DictConfig) -> dict[str, str]:
    """W&B's mode and, for a job of a multirun, its group and name, unless the logger's node has them: the sweep's
    directory, and the overrides that not all of the sweep's jobs share."""
    if get_class(logger._target_) is not WandbLogger:
        return {}
    mode = {"mode": mode_of(logger)}
    if not in_multirun():
        return mode
    job = HydraConfig.get()
    sweep = Path(job.sweep.dir).resolve()
    alike = shared(jobs(sweep).values())
    own = {"group": sweep.name, "name": ",".join(o for o in job.overrides.task if o not in alike)}
    return mode | {key: label for key, label in own.items() if label and key not in logger}
