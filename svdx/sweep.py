"""Multiruns: one job a threshold (or a fill, a corpus, a seed), gathered into one curve."""

from __future__ import annotations

import json
import logging
from itertools import product
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from svdx.errors import ConfigError
from svdx.evaluation.curve import RUN, group, read_curve, write_curve
from svdx.plots import curve_figure

log = logging.getLogger(__name__)

POINT = "explainer.threshold"  # what varies along a curve


def in_sweep() -> bool:
    """Is this one job of a multirun?"""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def is_done(cfg: DictConfig, directory: Path, networks: dict[str, str]) -> bool:
    """Did an earlier multirun in this place finish the same job? The resolved configs and the networks are compared.

    networks: what the summary says of them
    """
    before, summary = directory / "config.yaml", directory / "summary.json"
    if not (in_sweep() and all(path.is_file() for path in (before, summary, directory / "curve.csv"))):
        return False
    found = json.loads(summary.read_text())
    same = OmegaConf.load(before) == OmegaConf.create(OmegaConf.to_container(cfg, resolve=True))
    return same and all(found.get(name) == network for name, network in networks.items())


def jobs(sweep: Path) -> dict[Path, list[str]]:
    """The directories of a sweep's jobs and what each overrides, from its multirun.yaml, in the order of job numbers.

    Raises: ConfigError where no sweep is.
    """
    record = sweep / "multirun.yaml"
    if not record.is_file():
        raise ConfigError(f"{sweep} holds no multirun.yaml: give the directory of a sweep (hydra.sweep.dir)")
    asked = OmegaConf.load(record).hydra.overrides.task
    parsed = OverridesParser.create().parse_overrides(list(asked))
    choices = [
        [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()]
        if override.is_sweep_override()
        else [override.input_line]
        for override in parsed
    ]
    return {sweep / str(number): list(job) for number, job in enumerate(product(*choices))}


def gather(sweep: str | Path) -> list[dict]:
    """Write the rows of all of a sweep's jobs to its curve.csv and curve.png; returns the rows.

    Jobs without a result are named in the log. Raises: ConfigError where no job has one.
    """
    sweep = Path(sweep)
    asked = jobs(sweep)
    names = {job: ",".join(o for o in overrides if not o.startswith(f"{POINT}=")) for job, overrides in asked.items()}
    rows: list[dict] = []
    for job, overrides in asked.items():
        if not (job / "curve.csv").is_file():
            log.warning(f"no result of job {job.name}: {' '.join(overrides)}")
            continue
        run = {RUN: names[job]} if len(set(names.values())) > 1 else {}
        rows += [{**row, **run} for row in read_curve(job / "curve.csv")]
    if not rows:
        raise ConfigError(f"{sweep}: none of its {len(asked)} jobs has a curve.csv")
    rows = [row for points in group(rows).values() for row in points]
    write_curve(rows, sweep / "curve.csv")
    curve_figure(rows).savefig(sweep / "curve.png", dpi=150)
    log.info(f"{len(rows)} rows of {len(asked)} jobs in {sweep / 'curve.csv'}")
    return rows


class Gather(Callback):
    """Gathers a multirun when all of its jobs have ended well."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        gather(config.hydra.sweep.dir)
