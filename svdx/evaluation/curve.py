"""curve.csv: the explanation-loss curve on disk."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from svdx.errors import ConfigError
from svdx.explain.controls import CONTROLS
from svdx.whole import whole

RUN = "run"  # column of a gathered sweep that varies more than thresholds: a job's other overrides
ASKED = "asked_area_percent"  # column of a curve over areas: how many of the bins were to be salient
TEXT = ("explainer", "data", "split", "keep", "fill", RUN)
COUNTS = ("n", "flips", "n_vocal", "flips_vocal", "n_nonvocal", "flips_nonvocal")
COLUMNS = (
    *TEXT[:-1],
    "threshold",
    "n",
    "flips",
    "explanation_loss_percent",
    "relative_area_percent",
    "n_vocal",
    "flips_vocal",
    "n_nonvocal",
    "flips_nonvocal",
    "balanced_loss_percent",
    "ci_low",
    "ci_high",
    "balanced_ci_low",
    "balanced_ci_high",
)


def write_curve(rows: Sequence[dict], path: str | Path) -> None:
    """Write rows with the columns `COLUMNS`, and ASKED and RUN where some have them; whole or not at all."""
    write_table(rows, path, (*COLUMNS, *(name for name in (ASKED, RUN) if any(name in row for row in rows))))


def write_table(rows: Sequence[dict], path: str | Path, columns: Sequence[str] | None = None) -> None:
    """Write rows as CSV, whole or not at all; columns: their order (None: the first row's)."""
    with whole(Path(path)) as unfinished, unfinished.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns or list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_curve(path: str | Path) -> list[dict]:
    """Read what `write_curve` wrote; counts are int, the rest but names float. Raises: ConfigError."""
    try:
        with Path(path).open(newline="") as file:
            rows = [{key: _parse(key, value) for key, value in row.items()} for row in csv.DictReader(file)]
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}: not a curve.csv ({error})") from error
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise ConfigError(f"{path}: not a curve.csv; expected the columns {', '.join(COLUMNS)} and a row at least")
    return rows


def _parse(column: str, value: str) -> str | int | float:
    if column in TEXT:
        return value
    if column == ASKED and not value:
        return math.nan
    return int(value) if column in COUNTS else float(value)


def asked_area(row: dict) -> float | None:
    """At which area a row's excerpts were cut, in per cent; None where that was at a threshold."""
    area = row.get(ASKED, math.nan)
    return None if math.isnan(area) else area


def is_over_areas(rows: Sequence[dict]) -> bool:
    """Are some of the rows of a curve over areas? Then all are compared over the area, for thresholds of two explainers
    have nothing to do with each other."""
    return any(asked_area(row) is not None for row in rows)


def group(rows: Sequence[dict]) -> dict[str, list[dict]]:
    """Rows by curve, in order of threshold, or of the area asked for, under a name of what tells the curves apart."""
    keys = [key for key in TEXT if len({row.get(key) for row in rows}) > 1] or ["explainer"]
    curves: dict[str, list[dict]] = {}
    for row in sorted(rows, key=_place):
        parts = [str(row[key]) for key in keys]
        told = [part for part in parts if part != f"explainer={row['explainer']}"]  # of a sweep over explainers
        curves.setdefault(", ".join(told), []).append(row)
    first = {name: rows.index(points[0]) for name, points in curves.items()}
    return dict(sorted(curves.items(), key=lambda item: first[item[0]]))


def _place(row: dict) -> float:
    area = asked_area(row)
    return row["threshold"] if area is None else area


def explained(curves: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """Of the curves that `group` gives, those that are not there to compare another with: the first, and all that are
    no controls."""
    main = next(iter(curves.values()))[0]["explainer"] if curves else None
    return {name: points for name, points in curves.items() if points[0]["explainer"] not in {*CONTROLS} - {main}}


def curve_lines(rows: Sequence[dict], empty: float) -> list[str]:
    """One run's curve in words: never a pooled loss without its interval, its classes and what an empty mask gives.

    Controls stand behind the explanation whose area they have. empty: explanation loss of the empty mask, in per cent
    """
    words = (
        "{explainer}, {cut}: explanation loss {explanation_loss_percent:.1f} % "
        "[{ci_low:.1f}, {ci_high:.1f}], empty mask {empty:.1f} %, n = {n} (singing {flips_vocal}/{n_vocal}, "
        "no singing {flips_nonvocal}/{n_nonvocal}, balanced {balanced_loss_percent:.1f} % "
        "[{balanced_ci_low:.1f}, {balanced_ci_high:.1f}]), "
        "area {relative_area_percent:.1f} %"
    )
    control = "{explainer} {explanation_loss_percent:.1f} % (balanced {balanced_loss_percent:.1f} %)"
    lines = []
    for row in rows:
        if row["explainer"] == rows[0]["explainer"]:
            siblings = [r for r in rows if r["explainer"] != row["explainer"] and _place(r) == _place(row)]
            beside = "; same area: " + ", ".join(control.format(**r) for r in siblings) if siblings else ""
            lines.append(words.format(**row, cut=_cut(row), empty=empty) + beside)
    return lines


def _cut(row: dict) -> str:
    """Where a row's excerpts were cut, in words."""
    area, threshold = asked_area(row), f"{row['threshold']:g}"
    return f"threshold {threshold}" if area is None else f"best {area:g} % of the area (mean threshold {threshold})"
