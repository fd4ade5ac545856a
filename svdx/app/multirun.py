"""What a job of a Hydra multirun knows of itself and of its siblings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import OmegaConf

from svdx.errors import ConfigError


def in_multirun() -> bool:
    """Whether this process runs a job of a multirun."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def overrides() -> list[str]:
    """The overrides of this run, or of this job of a multirun."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def sweep_jobs(sweep: Path) -> dict[Path, list[str]]:
    """Directory and overrides of each of a sweep's jobs, in the order of job numbers.

    Hydra's own sweeper makes them from the sweep's multirun.yaml, so that jobs count that have not begun or that ran
    in other processes.

    Raises: ConfigError if the directory is not that of a sweep.
    """
    record = sweep / "multirun.yaml"
    if not record.is_file():
        raise ConfigError(f"{sweep} holds no multirun.yaml: give the directory of a sweep (hydra.sweep.dir)")
    typed = list(OmegaConf.load(record).hydra.overrides.task)
    (jobs,) = BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(typed), max_batch_size=None)
    return {sweep / str(number): job for number, job in enumerate(jobs)}


def common_overrides(jobs: Iterable[Sequence[str]]) -> set[str]:
    """The overrides that all jobs of a sweep share. jobs: overrides of each"""
    return set.intersection(*map(set, jobs))
