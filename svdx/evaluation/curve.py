"""curve.csv: the explanation-loss curve on disk."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from svdx.errors import ConfigError

TEXT = ("explainer", "data", "split", "keep", "fill")
COUNTS = ("n", "flips", "n_vocal", "flips_vocal", "n_nonvocal", "flips_nonvocal")
COLUMNS = (
    *TEXT,
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
)


def write_curve(rows: Sequence[dict], path: str | Path) -> None:
    """Write rows with the columns `COLUMNS`, whole or not at all."""
    path = Path(path)
    unfinished = path.with_suffix(".part")
    with unfinished.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    unfinished.replace(path)


def read_curve(path: str | Path) -> list[dict]:
    """Read what `write_curve` wrote; counts are int, the rest but names float. Raises: ConfigError."""
    try:
        with Path(path).open(newline="") as file:
            return [{key: _parse(key, value) for key, value in row.items()} for row in csv.DictReader(file)]
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path}: not a curve.csv ({error})") from error


def _parse(column: str, value: str) -> str | int | float:
    if column in TEXT:
        return value
    return int(value) if column in COUNTS else float(value)
