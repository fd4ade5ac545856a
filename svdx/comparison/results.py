"""From a study to the rows of compare.csv: means, their intervals, and their differences from the reference method."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from svdx.comparison.measures import DELETION, LOSS, REFERENCE, Measure, classes, empty_losses, measures
from svdx.comparison.statistics import (
    BALANCED,
    REPETITIONS,
    Means,
    class_means,
    drawn_signs,
    drawn_tracks,
    holm,
    p_values,
)
from svdx.comparison.study import Study

EMPTY = "empty mask"  # in the column `method`
TIMINGS = 20  # fewest for a 95th percentile
DIFFERENCE = ("difference", "difference_low", "difference_high", "p_holm")
COLUMNS = ("method", "metric", "fill", "area", "class", "n", "value", "ci_low", "ci_high", *DIFFERENCE)


def rows(study: Study, repetitions: int = REPETITIONS) -> list[dict]:
    """One row per measure, class of excerpts and method, with the columns `COLUMNS`; None where there is no value.

    difference: the method minus `inversion`, over the excerpts where both were measured
    p_holm: of `p_values`, corrected for the number of methods that are compared with `inversion`
    """
    names = list(study.methods)
    reference = names.index(REFERENCE) if REFERENCE in names else None
    tracks, track = np.unique(study.track, return_inverse=True)
    drawn, signs = (draw(len(tracks), repetitions) for draw in (drawn_tracks, drawn_signs))
    found = []
    for measure in measures(study):
        where = classes(study, measure.localised)
        by_class = {
            name: _rows_of(measure, name, names, mean)
            for name, mean in class_means(measure.values, track, where, drawn).items()
        }
        if reference is not None:
            paired = np.delete(measure.values, reference, 0) - measure.values[reference]
            p = p_values(paired, track, where, signs)
            for name, difference in class_means(paired, track, where, drawn).items():
                lines = by_class[name]
                _add_differences(lines[:reference] + lines[reference + 1 :], difference, holm(p[name]))
        found += [line for lines in by_class.values() for line in lines if line["n"]]
    for measure in empty_losses(study):
        for name, mean in class_means(measure.values, track, classes(study), drawn).items():
            found += [line for line in _rows_of(measure, name, [EMPTY], mean) if line["n"]]
    return [*found, *_costs(study)]


def _rows_of(measure: Measure, name: str, methods: list[str], mean: Means) -> list[dict]:
    """One row per method for the class with this name."""
    return [
        {
            **_row(method, measure.metric, measure.fill, measure.area, name),
            "n": 0 if np.isnan(mean.value[number]) else int(mean.n[number]),
            "value": float(mean.value[number]),
            "ci_low": _or_none(mean.interval[0, number]),
            "ci_high": _or_none(mean.interval[1, number]),
        }
        for number, method in enumerate(methods)
    ]


def _add_differences(rows: list[dict], difference: Means, corrected: np.ndarray) -> None:
    """Add to each of M rows its difference from the reference, and its corrected p-value, [M]."""
    for number, row in enumerate(rows):
        parts = (difference.value, *difference.interval, corrected)
        row |= dict(zip(DIFFERENCE, (_or_none(part[number]) for part in parts), strict=True))


def _row(method: str, metric: str, fill: str = "", area: float | None = None, name: str = "all") -> dict:
    place = {"method": method, "metric": metric, "fill": fill, "area": area, "class": name}
    return {**dict.fromkeys(COLUMNS), **place}


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _costs(study: Study) -> Iterator[dict]:
    """Passes per excerpt, seconds of the first explanation, and seconds per excerpt at batch size 1 and in the fullest
    batches of the bench."""
    for name, arrays in study.methods.items():
        sizes, seconds = arrays["seconds_of_batch"].T
        full = sizes == sizes.max()
        costs = {
            "forwards": (float(arrays["forwards"].mean()), len(arrays["forwards"])),
            "backwards": (float(arrays["backwards"].mean()), len(arrays["backwards"])),
            "first_seconds": (float(arrays["seconds_first"]), 1),
            **_timings(1, arrays["seconds_alone"]),
            **_timings(study.batch_size, seconds[full] / sizes[full]),
        }
        for metric, (value, n) in costs.items():
            yield {**_row(name, metric), "n": n, "value": value}


def timing(batch_size: int, statistic: str) -> str:
    """Metric of seconds per excerpt at a batch size. statistic: median or p95"""
    return f"seconds_batch_{batch_size}_{statistic}"


def _timings(batch_size: int, seconds: np.ndarray) -> dict[str, tuple[float, int]]:
    """The median of timings [n] and, of enough of them, their 95th percentile, each with n."""
    n = len(seconds)
    tail = {timing(batch_size, "p95"): (float(np.percentile(seconds, 95)), n)} if n >= TIMINGS else {}
    return {timing(batch_size, "median"): (float(np.median(seconds)), n), **tail}


class Results:
    """The rows of compare.csv, to look them up. methods: their names, without the empty mask"""

    def __init__(self, rows: list[dict]) -> None:
        self.rows = rows
        self.methods = list(dict.fromkeys(row["method"] for row in rows if row["method"] != EMPTY))
        self._by_key = {(r["method"], r["metric"], r["fill"], r["area"], r["class"]): r for r in rows}

    def row(self, method: str, metric: str, fill: str = "", area: float | None = None, of: str = "all") -> dict | None:
        """The row of a class of excerpts, or None if nothing was measured."""
        return self._by_key.get((method, metric, fill, area, of))

    def value(self, method: str, metric: str, fill: str = "", area: float | None = None, of: str = "all") -> float:
        """Its value, NaN if nothing was measured."""
        row = self.row(method, metric, fill, area, of)
        return float("nan") if row is None else row["value"]

    @property
    def headline(self) -> str:
        """The class of the headline figures: balanced, or all excerpts if one of the labels does not occur."""
        return BALANCED if any(row["class"] == BALANCED for row in self.rows) else "all"

    def summary(self, fill: str, area: float) -> dict[str, float]:
        """The headline figures of each method as METHOD/METRIC, as in summary.json."""
        figures = {
            LOSS: (fill, area, self.headline),
            DELETION: (fill, area, self.headline),
            "loss_auc_log": (fill, None, self.headline),
            "voice_share": ("", area, "all"),
            "forwards": ("", None, "all"),
        }
        return {
            f"{name}/{metric}": self.value(name, metric, *place)
            for name in self.methods
            for metric, place in figures.items()
        }

    def reversed_by_fill(self, metric: str, fills: Sequence[str]) -> set[str]:
        """Methods that are below some other method under one fill and above it under another, each time with disjoint
        intervals. metric: one without area, over the headline's class"""

        def below(one: str, other: str) -> bool:
            lows, highs = (
                [self.row(name, metric, fill, None, self.headline) or {} for fill in fills] for name in (one, other)
            )
            ends = ((low.get("ci_high"), high.get("ci_low")) for low, high in zip(lows, highs, strict=True))
            return any(end is not None and begin is not None and end < begin for end, begin in ends)

        pairs = [pair for pair in combinations(self.methods, 2) if below(*pair) and below(*reversed(pair))]
        return {name for pair in pairs for name in pair}
