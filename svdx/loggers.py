"""The configured loggers of a run: metrics.csv, and Weights & Biases with a sweep's jobs told apart."""

from __future__ import annotations

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger, WandbLogger

from svdx.metrics_csv import MetricsCsv
from svdx.multirun import in_multirun, jobs, shared
from svdx.settings import build


def make_loggers(cfg: DictConfig, directory: Path) -> list[Logger]:
    """The loggers of a configuration, writing into `directory`; W&B is told the whole configuration."""
    loggers = [build(node, save_dir=str(directory), **labels(node)) for node in cfg.logger.values()]
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.log_hyperparams(OmegaConf.to_container(cfg, resolve=True))
        elif isinstance(logger, MetricsCsv):
            logger.keep = bool(cfg.get("resume"))
    return loggers


def labels(logger: DictConfig) -> dict[str, str]:
    """W&B's group and name for a job of a multirun, unless the logger's node has them: the sweep's directory, and the
    overrides that not all of the sweep's jobs share."""
    if not in_multirun() or get_class(logger._target_) is not WandbLogger:
        return {}
    job = HydraConfig.get()
    sweep = Path(job.sweep.dir).resolve()
    alike = shared(jobs(sweep).values())
    own = {"group": sweep.name, "name": ",".join(o for o in job.overrides.task if o not in alike)}
    return {key: label for key, label in own.items() if label and key not in logger}
