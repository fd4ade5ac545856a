"""Records in, rows of compare.csv out: every mean with its interval, and its difference from the reference method."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from svdx.comparison.localisation import POINTS
from svdx.comparison.measures import EMPTY, REFERENCE, Measure, classes, empty_losses, measures
from svdx.comparison.records import Study
from svdx.comparison.statistics import (
    BALANCED,
    REPETITIONS,
    Estimate,
    class_means,
    drawn_signs,
    drawn_tracks,
    holm,
    p_values,
)

LOCALISED = ("voice_share", "voice_enrichment", *POINTS)
THIRDS = ("voice_soft", "voice_middle", "voice_loud")
TIMINGS = 20  # at least, for a 95th percentile
COLUMNS = (
    *("method", "metric", "fill", "area", "class", "n", "value", "ci_low", "ci_high"),
    *("difference", "difference_low", "difference_high", "p_holm"),
)


def rows(study: Study, repetitions: int = REPETITIONS) -> list[dict]:
    """Of every measure, class of excerpts and method a row with the columns `COLUMNS`; None where there is nothing.

    difference: the method less `inversion`, over the excerpts where both were measured; p_holm: two-sided, of
    `p_values`, corrected for the number of methods that are compared with it in this measure and class.
    """
    names = list(study.methods)
    reference = names.index(REFERENCE) if REFERENCE in names else None
    tracks, track = np.unique(study.track, return_inverse=True)
    drawn, signs = (draw(len(tracks), repetitions) for draw in (drawn_tracks, drawn_signs))
    every = classes(study)
    found = []
    for measure, values in measures(study):
        local = measure.metric in LOCALISED
        asked = {name: where for name, where in every.items() if local or name not in THIRDS}
        asked = {name: where for name, where in asked.items() if not local or name in ("all", *THIRDS)}
        means = class_means(values, track, asked, drawn)
        differences, p = {}, {}
        if reference is not None:
            paired = np.delete(values, reference, 0) - values[reference]
            differences = class_means(paired, track, asked, drawn)
            p = p_values(paired, track, asked, signs)
        for name, mean in means.items():
            lines = _of_class(measure, name, names, mean)
            if reference is not None:
                others = lines[:reference] + lines[reference + 1 :]
                _compare(others, differences[name], holm(p[name]))
            found += [line for line in lines if line["n"]]
    return [*found, *_empty(study, track, drawn), *costs(study)]


def _empty(study: Study, track: np.ndarray, drawn: np.ndarray) -> Iterator[dict]:
    """What every fill says where nothing is kept, as the rows of a method named `EMPTY`."""
    asked = {name: where for name, where in classes(study).items() if name not in THIRDS}
    for measure, values in empty_losses(study):
        for name, mean in class_means(values, track, asked, drawn).items():
            yield from (row for row in _of_class(measure, name, [EMPTY], mean) if row["n"])


def _of_class(measure: Measure, name: str, methods: list[str], mean: Estimate) -> list[dict]:
    """A row a method."""
    rows = []
    for number, method in enumerate(methods):
        row = _row(method, measure, name, mean.value[number])
        n = 0 if np.isnan(mean.value[number]) else int(mean.n[number])
        rows.append({**row, "n": n, "ci_low": _given(mean.low[number]), "ci_high": _given(mean.high[number])})
    return rows


def _compare(rows: list[dict], difference: Estimate, corrected: np.ndarray) -> None:
    """Add to each of M rows its difference from the reference, and its corrected p-value, [M]."""
    for number, row in enumerate(rows):
        parts = (difference.value, difference.low, difference.high, corrected)
        row |= dict(zip(COLUMNS[-4:], (_given(part[number]) for part in parts), strict=True))


def _row(method: str, measure: Measure, name: str, value: float) -> dict:
    place = {"method": method, "metric": measure.metric, "fill": measure.fill, "area": measure.area, "class": name}
    return {**dict.fromkeys(COLUMNS), **place, "value": float(value)}


def _given(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def costs(study: Study) -> Iterator[dict]:
    """Passes an excerpt, seconds of the first explanation, and seconds an excerpt at batch 1 and in the bench's own
    batches: the fullest ones."""
    for name, found in study.methods.items():
        sizes, seconds = found["seconds_of_batch"].T
        batched = (seconds / sizes)[sizes == sizes.max()]
        values = {
            "forwards": (found["forwards"].mean(), len(found["forwards"])),
            "backwards": (found["backwards"].mean(), len(found["backwards"])),
            "first_seconds": (float(found["seconds_first"]), 1),
            **_spread("seconds_batch_1", found["seconds_alone"]),
            **_spread(f"seconds_batch_{int(sizes.max())}", batched),
        }
        for metric, (value, n) in values.items():
            yield {**_row(name, Measure(metric), "all", value), "n": n}


def _spread(name: str, seconds: np.ndarray) -> dict[str, tuple[float, int]]:
    """The median of timings [n], and of enough of them the 95th percentile; each with their number."""
    n = len(seconds)
    tail = {f"{name}_p95": (np.percentile(seconds, 95), n)} if n >= TIMINGS else {}
    return {f"{name}_median": (np.median(seconds), n), **tail}


class Found:
    """Rows by what they are of; the empty mask is none of the methods."""

    def __init__(self, rows: list[dict]) -> None:
        self.rows = {(r["method"], r["metric"], r["fill"], r["area"], r["class"]): r for r in rows}
        self.methods = list(dict.fromkeys(row["method"] for row in rows if row["method"] != EMPTY))

    def __call__(
        self, method: str, metric: str, fill: str = "", area: float | None = None, of: str = "all"
    ) -> dict | None:
        """The row, or None where nothing was measured."""
        return self.rows.get((method, metric, fill, area, of))

    def value(self, *what: str | float | None) -> float:
        """Its value, NaN where there is none."""
        row = self(*what)
        return float("nan") if row is None else row["value"]

    @property
    def headline(self) -> str:
        """Both classes alike where both are there, else all excerpts."""
        return BALANCED if any(key[-1] == BALANCED for key in self.rows) else "all"
