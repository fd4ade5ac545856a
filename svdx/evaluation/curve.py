"""curve.csv: reading, writing, grouping and describing the explanation-loss curve.

Undefined numbers, such as the interval of fewer than ten tracks, are NaN in a row and an empty cell in the file.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from pathlib import Path

from svdx.errors import ConfigError
from svdx.explanation.methods.controls import CONTROLS
from svdx.files.atomic import atomic_write

RUN = "run"  # column of a collected sweep: the overrides of a job, besides its thresholds
TARGET_AREA = "asked_area_percent"  # column of a curve over areas: the requested share of salient bins
TEXT = ("explainer", "data", "split", "keep", "fill", RUN)
DELIMITERS = (",", ";", "\t")
LARGEST = 2**26  # bytes to read of a curve.csv
COUNTS = ("n", "flips", "n_vocal", "flips_vocal", "n_nonvocal", "flips_nonvocal")
COLUMNS = (
    *("explainer", "data", "split", "keep", "fill", "threshold", "n", "flips"),
    *("explanation_loss_percent", "relative_area_percent", "n_vocal", "flips_vocal", "n_nonvocal", "flips_nonvocal"),
    *("balanced_loss_percent", "ci_low", "ci_high", "balanced_ci_low", "balanced_ci_high"),
)


def write_curve(rows: Sequence[dict], path: str | Path) -> None:
    """Write curve.csv atomically, with the columns `COLUMNS`, and TARGET_AREA and RUN if some rows have them."""
    write_table(rows, path, (*COLUMNS, *(name for name in (TARGET_AREA, RUN) if any(name in row for row in rows))))


def write_table(rows: Sequence[dict], path: str | Path, columns: Sequence[str] | None = None) -> None:
    """Write rows as CSV, atomically. columns: their order (None: that of the first row)"""
    with atomic_write(Path(path)) as unfinished, unfinished.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns or list(rows[0]))
        writer.writeheader()
        writer.writerows({key: "" if is_nan(value) else value for key, value in row.items()} for row in rows)


def is_nan(value: object) -> bool:
    return isinstance(value, float) and math.isnan(value)


def read_curve(path: str | Path) -> list[dict]:
    """Read a curve.csv, also after a spreadsheet program has saved it.

    Accepts a byte order mark, semicolons or tabs, decimal commas, empty lines and further columns. Counts are int,
    other numbers float.

    Raises: ConfigError if it cannot be read or is not a curve.csv.
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
        rows = [row for row in reader if any(row.values())]
    except csv.Error as error:
        raise ConfigError(f"{path}: not a curve.csv ({error})") from error
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise ConfigError(f"{path}: not a curve.csv; expected the columns {', '.join(COLUMNS)} and at least one row")
    return [_parsed(row, f"{path}: row {number}", delimiter) for number, row in enumerate(rows, start=1)]


def _parsed(row: dict[str, str | None], where: str, delimiter: str) -> dict[str, str | int | float]:
    """A row with its numbers converted. where: file and row, for error messages"""
    parsed: dict[str, str | int | float] = {}
    for column, value in ((column, row[column] or "") for column in (*COLUMNS, TARGET_AREA, RUN) if column in row):
        number = value if delimiter == "," else value.replace(",", ".")
        try:
            if column in TEXT:
                parsed[column] = value
            elif column in COUNTS:
                parsed[column] = _count(number)
            else:
                parsed[column] = float(number) if number else math.nan
        except ValueError:
            raise ConfigError(f"{where}: {column} is {value!r}, expected a number") from None
    return parsed


def _count(number: str) -> int:
    """An integer, which a spreadsheet may have saved as 3.0. Raises: ValueError."""
    value = float(number)
    if not value.is_integer():
        raise ValueError(number)
    return int(value)


def target_area(row: dict) -> float | None:
    """The area at which a row's excerpts were cut, in per cent; None if they were cut at a threshold."""
    area = row.get(TARGET_AREA, math.nan)
    return None if math.isnan(area) else area


def is_over_areas(rows: Sequence[dict]) -> bool:
    """Whether some rows are of a curve over areas. Thresholds of different explainers cannot be compared, so that such
    rows are all plotted over the area."""
    return any(target_area(row) is not None for row in rows)


def group_curves(rows: Sequence[dict]) -> dict[str, list[dict]]:
    """Rows by curve, sorted by threshold or requested area. Names consist of the text columns that differ."""
    keys = [key for key in TEXT if len({row.get(key) for row in rows}) > 1] or ["explainer"]
    curves: dict[str, list[dict]] = {}
    for row in sorted(rows, key=_position):
        parts = [str(row[key]) for key in keys]
        name = [part for part in parts if part != f"explainer={row['explainer']}"]  # of a sweep over explainers
        curves.setdefault(", ".join(name), []).append(row)
    first = {name: rows.index(points[0]) for name, points in curves.items()}
    return dict(sorted(curves.items(), key=lambda item: first[item[0]]))


def _position(row: dict) -> float:
    area = target_area(row)
    return row["threshold"] if area is None else area


def main_curves(curves: dict[str, list[dict]]) -> dict[str, list[dict]]:
    """Of the curves of `group_curves`, the first and all that are not controls."""
    main = next(iter(curves.values()))[0]["explainer"] if curves else None
    return {name: points for name, points in curves.items() if points[0]["explainer"] not in {*CONTROLS} - {main}}


def curve_lines(rows: Sequence[dict], empty: float) -> list[str]:
    """One line per point of a run's curve: the loss with its interval, per class, and that of the empty mask.

    Controls are appended to the explanation of the same area. empty: explanation loss of the empty mask, in per cent
    """
    line = (
        "{explainer}, {cut}: explanation loss {explanation_loss_percent:.1f} %{interval}, "
        "empty mask {empty:.1f} %, n = {n} (singing {flips_vocal}/{n_vocal}, no singing {flips_nonvocal}/{n_nonvocal}, "
        "balanced {balanced_loss_percent:.1f} %{balanced_interval}), area {relative_area_percent:.1f} %"
    )
    control = "{explainer} {explanation_loss_percent:.1f} % (balanced {balanced_loss_percent:.1f} %)"
    lines = []
    for row in rows:
        if row["explainer"] == rows[0]["explainer"]:
            siblings = [r for r in rows if r["explainer"] != row["explainer"] and _position(r) == _position(row)]
            controls = "; same area: " + ", ".join(control.format(**r) for r in siblings) if siblings else ""
            intervals = {"interval": _interval(row, "ci"), "balanced_interval": _interval(row, "balanced_ci")}
            lines.append(line.format(**row, **intervals, cut=_cut(row), empty=empty) + controls)
    return lines


def _cut(row: dict) -> str:
    """The threshold or area of a row, in words."""
    area, threshold = target_area(row), f"{row['threshold']:g}"
    return f"threshold {threshold}" if area is None else f"best {area:g} % of the area (mean threshold {threshold})"


def _interval(row: dict, name: str) -> str:
    """The interval in brackets, or an empty string."""
    low, high = (row[f"{name}_{end}"] for end in ("low", "high"))
    return "" if is_nan(low) else f" [{low:.1f}, {high:.1f}]"
