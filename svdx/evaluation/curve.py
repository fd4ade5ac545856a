"""curve.csv: the explanation-loss curve on disk.

A number that does not exist, as the interval of fewer than ten tracks, is NaN in a row and an empty cell in a file.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from svdx.errors import ConfigError
from svdx.explain.methods.controls import CONTROLS
from svdx.files.atomic import atomic_write

RUN = "run"  # column of a gathered sweep that varies more than thresholds: a job's other overrides
TARGET_AREA = "asked_area_percent"  # column of a curve over areas: how many of the bins were to be salient
TEXT = ("explainer", "data", "split", "keep", "fill", RUN)
DELIMITERS = (",", ";", "\t")
LARGEST = 2**26  # bytes of a curve.csv that are read
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
    """Write rows with the columns `COLUMNS`, and TARGET_AREA and RUN where some have them; whole or not at all."""
    write_table(rows, path, (*COLUMNS, *(name for name in (TARGET_AREA, RUN) if any(name in row for row in rows))))


def write_table(rows: Sequence[dict], path: str | Path, columns: Sequence[str] | None = None) -> None:
    """Write rows as CSV, whole or not at all; columns: their order (None: the first row's)."""
    with atomic_write(Path(path)) as unfinished, unfinished.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns or list(rows[0]))
        writer.writeheader()
        writer.writerows({key: "" if is_nan(value) else value for key, value in row.items()} for row in rows)


def is_nan(value: object) -> bool:
    """Is it a number that does not exist?"""
    return isinstance(value, float) and math.isnan(value)


def read_curve(path: str | Path) -> list[dict]:
    """Read what `write_curve` wrote, or what a spreadsheet made of it: with a byte order mark, semicolons or tabs,
    decimal commas, empty lines, further columns. Counts are int, the rest but names float. Raises: ConfigError.
    """
    try:
        text = Path(path).read_bytes()[:LARGEST].decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not a curve.csv: it is not UTF-8 text; export it as CSV UTF-8") from error
    head, _, rest = text.partition("\n")
    if head.lower().startswith("sep="):  # Excel's hint to itself
        text, head = rest, rest.partition("\n")[0]
    delimiter = max(DELIMITERS, key=head.count)
    try:
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
        found = [row for row in reader if any(row.values())]
    except csv.Error as error:
        raise ConfigError(f"{path}: not a curve.csv ({error})") from error
    if not found or not set(COLUMNS) <= set(found[0]):
        raise ConfigError(f"{path}: not a curve.csv; expected the columns {', '.join(COLUMNS)} and a row at least")
    return [_parsed(row, f"{path}: row {number}", delimiter) for number, row in enumerate(found, start=1)]


def _parsed(row: dict[str, str | None], where: str, delimiter: str) -> dict[str, str | int | float]:
    """A row's cells as numbers, but for names. where: what to call the row in errors"""
    parsed: dict[str, str | int | float] = {}
    for column, value in ((column, row[column] or "") for column in (*COLUMNS, TARGET_AREA, RUN) if column in row):
        number = value if delimiter == "," else value.replace(",", ".")
        try:
            if column in TEXT:
                parsed[column] = value
            elif column in COUNTS:
                parsed[column] = _whole(number)
            else:
                parsed[column] = float(number) if number else math.nan
        except ValueError:
            raise ConfigError(f"{where}: {column} is {value!r}, expected a number") from None
    return parsed


def _whole(number: str) -> int:
    """A count, which a spreadsheet may have saved as 3.0. Raises: ValueError."""
    value = float(number)
    if not value.is_integer():
        raise ValueError(number)
    return int(value)


def target_area(row: dict) -> float | None:
    """At which area a row's excerpts were cut, in per cent; None where that was at a threshold."""
    area = row.get(TARGET_AREA, math.nan)
    return None if math.isnan(area) else area


def is_over_areas(rows: Sequence[dict]) -> bool:
    """Are some of the rows of a curve over areas? Then all are compared over the area, for thresholds of two explainers
    have nothing to do with each other."""
    return any(target_area(row) is not None for row in rows)


def group_curves(rows: Sequence[dict]) -> dict[str, list[dict]]:
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
    area = target_area(row)
    return row["threshold"] if area is None else area


def main_curves(curves: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """Of the curves of `group_curves`, the first and all that are not controls."""
    main = next(iter(curves.values()))[0]["explainer"] if curves else None
    return {name: points for name, points in curves.items() if points[0]["explainer"] not in {*CONTROLS} - {main}}


def curve_lines(rows: Sequence[dict], empty: float) -> list[str]:
    """One run's curve in words: never a pooled loss without its interval (if there is one), its classes and what an
    empty mask gives.

    Controls stand behind the explanation whose area they have. empty: explanation loss of the empty mask, in per cent
    """
    words = (
        "{explainer}, {cut}: explanation loss {explanation_loss_percent:.1f} %{interval}, "
        "empty mask {empty:.1f} %, n = {n} (singing {flips_vocal}/{n_vocal}, no singing {flips_nonvocal}/{n_nonvocal}, "
        "balanced {balanced_loss_percent:.1f} %{balanced_interval}), area {relative_area_percent:.1f} %"
    )
    control = "{explainer} {explanation_loss_percent:.1f} % (balanced {balanced_loss_percent:.1f} %)"
    lines = []
    for row in rows:
        if row["explainer"] == rows[0]["explainer"]:
            siblings = [r for r in rows if r["explainer"] != row["explainer"] and _place(r) == _place(row)]
            beside = "; same area: " + ", ".join(control.format(**r) for r in siblings) if siblings else ""
            intervals = {"interval": _interval(row, "ci"), "balanced_interval": _interval(row, "balanced_ci")}
            lines.append(words.format(**row, **intervals, cut=_cut(row), empty=empty) + beside)
    return lines


def _cut(row: dict) -> str:
    """Where a row's excerpts were cut, in words."""
    area, threshold = target_area(row), f"{row['threshold']:g}"
    return f"threshold {threshold}" if area is None else f"best {area:g} % of the area (mean threshold {threshold})"


def _interval(row: dict, name: str) -> str:
    """In brackets; nothing where there is none."""
    low, high = (row[f"{name}_{end}"] for end in ("low", "high"))
    return "" if is_nan(low) else f" [{low:.1f}, {high:.1f}]"
