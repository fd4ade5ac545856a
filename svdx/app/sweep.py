"""Multiruns: one job a threshold (or a fill, a corpus, a seed), gathered into one curve."""

from __future__ import annotations

import json
import logging
from itertools import chain
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from svdx.app.multirun import jobs, shared
from svdx.app.provenance import SUMMARY
from svdx.app.run_directory import IRRELEVANT, is_in_sections
from svdx.errors import ConfigError
from svdx.evaluation.curve import RUN, curve_lines, group_curves, read_curve, write_curve, write_table
from svdx.files.atomic import atomic_write
from svdx.report.figures import curve_figure

log = logging.getLogger(__name__)

COLUMNS = (  # of a curve.csv
    "explainer.threshold",
    "explainer.area",
    "explainer.keep",
    "explainer.fill",
    "data",
    "excerpts.split",
)
CURVE = "curve.csv"


def result(job: Path, overrides: list[str]) -> tuple[list[dict], float] | None:
    """The rows of a job that ended well and the explanation loss of the empty mask, in per cent; None of another.

    A job's directory may hold an earlier sweep's result: it must say that it is of this job.
    """
    if not all(path.is_file() for path in (job / SUMMARY, job / CURVE)):
        return None
    summary = json.loads((job / SUMMARY).read_text())
    then, now = (
        {word for word in words if not is_in_sections(word.lstrip("+~").partition("=")[0], IRRELEVANT)}
        for words in (summary.get("overrides", ()), overrides)
    )
    if then != now:
        return None
    return read_curve(job / CURVE), summary["empty_mask/explanation_loss_percent"]


def numbers(job: Path) -> dict[str, float]:
    """The numbers of a job's summary."""
    summary = json.loads((job / SUMMARY).read_text())
    return {name: value for name, value in summary.items() if isinstance(value, int | float)}


def gather(sweep: str | Path) -> list[dict]:
    """Write the rows of all of a sweep's jobs to its curve.csv and curve.png; returns the rows.

    What their summaries say, one number for a job, stands in scores.csv: of `-m layer=…` the reconstruction errors.
    Jobs without a result are named in the log. Raises: ConfigError where no job has one.
    """
    sweep = Path(sweep)
    asked = jobs(sweep)
    alike = shared(asked.values())
    own = {job: [override for override in overrides if override not in alike] for job, overrides in asked.items()}
    names = {
        job: ",".join(o for o in overrides if o.partition("=")[0] not in COLUMNS) for job, overrides in own.items()
    }
    rows: list[dict] = []
    scores: list[dict] = []
    for job, overrides in asked.items():
        found = result(job, overrides)
        if found is None:
            log.warning(f"no result of job {job.name}: {' '.join(overrides)}")
            continue
        for line in curve_lines(*found):
            log.info(", ".join([*own[job], line]))
        run = {RUN: names[job]} if len(set(names.values())) > 1 else {}
        rows += [{**row, **run} for row in found[0]]
        scores.append({"job": job.name, **dict(word.split("=", 1) for word in own[job]), **numbers(job)})
    if not rows:
        raise ConfigError(f"{sweep}: none of its {len(asked)} jobs has a result")
    rows = [row for points in group_curves(rows).values() for row in points]
    write_curve(rows, sweep / CURVE)
    write_table(scores, sweep / "scores.csv", list(dict.fromkeys(chain.from_iterable(scores))))
    with atomic_write(sweep / "curve.png") as picture:
        curve_figure(rows).savefig(picture, format="png", dpi=150)
    log.info(f"{len(rows)} rows of {len(asked)} jobs in {sweep / CURVE}")
    return rows


class Gather(Callback):
    """Gathers a multirun when all of its jobs have ended well."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        gather(config.hydra.sweep.dir)
