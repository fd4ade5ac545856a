"""What a job of a Hydra multirun knows of itself and of its siblings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.types import RunMode
from omegaconf import OmegaConf

from svdx.errors import ConfigError


def in_multirun() -> bool:
    """Is this one job of a multirun?"""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def overrides() -> list[str]:
    """What was typed for this run, or for this job of a multirun."""
    return list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else []


def jobs(sweep: Path) -> dict[Path, list[str]]:
    """The directories of a sweep's jobs and what each overrides, from its multirun.yaml, in the order of job numbers.

    Raises: ConfigError where no sweep is.
    """
    record = sweep / "multirun.yaml"
    if not record.is_file():
        raise ConfigError(f"{sweep} holds no multirun.yaml: give the directory of a sweep (hydra.sweep.dir)")
    asked = OmegaConf.load(record).hydra.overrides.task
    choices = {}  # a later word on the same key wins, as in Hydra's own sweeper
    for override in OverridesParser.create().parse_overrides(list(asked)):
        swept = override.is_sweep_override()
        values = override.sweep_string_iterator() if swept else [override.get_value_element_as_str()]
        choices[override.get_key_element()] = [f"{override.get_key_element()}={value}" for value in values]
    return {sweep / str(number): list(job) for number, job in enumerate(product(*choices.values()))}


def shared(asked: Iterable[Sequence[str]]) -> set[str]:
    """The overrides that all jobs of a sweep have alike. asked: what each job overrides"""
    return set.intersection(*map(set, asked))
