"""Multiruns: one job per threshold (or fill, corpus, seed), gathered into one curve."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

from svdx.app.multirun import common_overrides, sweep_jobs
from svdx.app.provenance import SUMMARY
from svdx.app.run_directory import IRRELEVANT, is_in_sections
from svdx.errors import ConfigError
from svdx.evaluation.curve import RUN, curve_lines, group_curves, read_curve, write_curve, write_table
from svdx.files.atomic import atomic_write
from svdx.report.curve_figure import curve_figure

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


def read_result(job: Path, overrides: list[str]) -> tuple[list[dict], float] | None:
    """The curve of a finished job, and the explanation loss of the empty mask, in per cent. None if the job did not
    finish, or if its directory holds the result of a job of an earlier sweep, with other overrides.
    """
    if not all(path.is_file() for path in (job / SUMMARY, job / CURVE)):
        return None
    summary = json.loads((job / SUMMARY).read_text())
    if _relevant(summary.get("overrides", ())) != _relevant(overrides):
        return None
    return read_curve(job / CURVE), summary["empty_mask/explanation_loss_percent"]


def _relevant(overrides: Iterable[str]) -> set[str]:
    """The overrides on which a result depends."""
    return {word for word in overrides if not is_in_sections(word.lstrip("+~").partition("=")[0], IRRELEVANT)}


def summary_numbers(job: Path) -> dict[str, float]:
    """The numbers of a job's summary."""
    summary = json.loads((job / SUMMARY).read_text())
    return {name: value for name, value in summary.items() if isinstance(value, int | float)}


def gather(sweep: str | Path) -> list[dict]:
    """Write the curves of all jobs of a sweep to its curve.csv and curve.png, and the numbers of their summaries, one
    row per job, to scores.csv. Returns the rows of curve.csv.

    Jobs without a result are named in the log. Raises: ConfigError if no job has one.
    """
    sweep = Path(sweep)
    jobs = sweep_jobs(sweep)
    common = common_overrides(jobs.values())
    own = {job: [override for override in overrides if override not in common] for job, overrides in jobs.items()}
    names = {
        job: ",".join(o for o in overrides if o.partition("=")[0] not in COLUMNS) for job, overrides in own.items()
    }
    rows: list[dict] = []
    scores: list[dict] = []
    for job, overrides in jobs.items():
        result = read_result(job, overrides)
        if result is None:
            log.warning(f"no result of job {job.name}: {' '.join(overrides)}")
            continue
        for line in curve_lines(*result):
            log.info(", ".join([*own[job], line]))
        run = {RUN: names[job]} if len(set(names.values())) > 1 else {}
        rows += [{**row, **run} for row in result[0]]
        scores.append({"job": job.name, **dict(word.split("=", 1) for word in own[job]), **summary_numbers(job)})
    if not rows:
        raise ConfigError(f"{sweep}: none of its {len(jobs)} jobs has a result")
    rows = [row for points in group_curves(rows).values() for row in points]
    write_curve(rows, sweep / CURVE)
    write_table(scores, sweep / "scores.csv", list(dict.fromkeys(chain.from_iterable(scores))))
    with atomic_write(sweep / "curve.png") as picture:
        curve_figure(rows).savefig(picture, format="png", dpi=150)
    log.info(f"{len(rows)} rows of {len(jobs)} jobs in {sweep / CURVE}")
    return rows
