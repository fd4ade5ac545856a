"""Curves of explanation loss as figures, after the paper's Figure 5. Nothing here saves or shows a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svdx.evaluation.curve import group_curves, is_over_areas, main_curves
from svdx.evaluation.published import NAMES, published

LOSS, BALANCED, AREA = "explanation_loss_percent", "balanced_loss_percent", "relative_area_percent"
LABELS = {"threshold": "threshold", AREA: "relative area (%)"}
TITLES = {"threshold": "threshold of the region: its least salience", AREA: "size of the region"}
LIMITS = {"threshold": (-0.03, 1.13), AREA: (-3, 103)}
AREA_TICKS = (0, 1, 2, 5, 10, 20, 50, 100)  # per cent
PUBLISHED = dict(zip(dict.fromkeys(NAMES.values()), ("0.2", "0.45", "0.7"), strict=True))  # shades of grey


def curve_figure(rows: Sequence[dict]) -> Figure:
    """The paper's Figure 5: explanation loss and relative area over the threshold, from the rows of one curve.csv.
    For a curve over areas, loss and threshold over the area.

    A single curve is drawn with its interval, both classes, its controls, and the authors' curves for the same corpus
    and masking. Several curves, of a sweep, are one line each.
    """
    curves = group_curves(rows)
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    x, y = axes_of(rows)
    left.set(ylabel="explanation loss (%)", ylim=(-3, 103), title="labels flipped when only the region is kept")
    right.set(ylabel=LABELS[y], ylim=LIMITS[y], title=TITLES[y])
    main = main_curves(curves)
    if len(main) == 1:
        _draw_one(left, right, curves, x, y)
    else:
        _draw_several(left, right, main, x, y)
    for axes in (left, right):
        axes.set(xlabel=LABELS[x])
        if x == AREA:
            axes.set_xscale("symlog", linthresh=1, linscale=0.4)  # with a place for 0
            axes.set(xticks=AREA_TICKS, xticklabels=map(str, AREA_TICKS), xlim=(-0.05, 110))
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize="x-small")
    figure.suptitle(_title(main, rows))
    return figure


def axes_of(rows: Sequence[dict]) -> tuple[str, str]:
    """The columns of one curve.csv on the x-axis of both panels, and on the y-axis of the right one."""
    return (AREA, "threshold") if is_over_areas(rows) else ("threshold", AREA)


def _title(curves: dict[str, list[dict]], rows: Sequence[dict]) -> str:
    main = next(iter(curves.values()))[0]
    shared = [key for key in ("data", "split", "keep", "fill", "n") if len({row[key] for row in rows}) == 1]
    words = {
        "data": "on {data}",
        "split": "{split} split",
        "keep": "keep={keep}",
        "fill": "fill={fill}",
        "n": "n = {n}",
    }
    explainers = dict.fromkeys(row["explainer"] for points in curves.values() for row in points)
    return ", ".join([*explainers, *(words[key].format(**main) for key in shared)])


def _draw_one(left: Axes, right: Axes, curves: dict[str, list[dict]], x: str, y: str) -> None:
    (main,) = main_curves(curves).values()
    place, low, high = (column(main, name) for name in (x, "ci_low", "ci_high"))
    (line,) = left.plot(place, column(main, LOSS), "o-", lw=2, label=f"{main[0]['explainer']}, all excerpts")
    if not np.isnan(low).all():
        left.fill_between(place, low, high, color=line.get_color(), alpha=0.2, label="95 % interval over tracks")
    for name, style in (("vocal", "--"), ("nonvocal", ":")):
        with np.errstate(invalid="ignore"):
            per_class = 100 * column(main, f"flips_{name}") / column(main, f"n_{name}")
        label = f"predicted {name.replace('non', 'non-')} (n = {main[0][f'n_{name}']})"
        left.plot(place, per_class, style, color=line.get_color(), label=label)
    left.plot(place, column(main, BALANCED), "-", lw=1, color="black", label="balanced: mean of the two")
    right.plot(place, column(main, y), "o-", label=main[0]["explainer"])
    for points in curves.values():
        if points is not main:
            label = f"{points[0]['explainer'].replace('_', ' ')}, same area"
            left.plot(column(points, x), column(points, LOSS), ".-", lw=1, label=label)
    for name, points in published(*(main[0][key] for key in ("data", "keep", "fill"))).items():
        for axes, what in ((left, LOSS), (right, y)):
            axes.plot(column(points, x), column(points, what), "x--", lw=1, color=PUBLISHED[name], label=name)


def _draw_several(left: Axes, right: Axes, curves: dict[str, list[dict]], x: str, y: str) -> None:
    for name, points in curves.items():
        for axes, what in ((left, LOSS), (right, y)):
            axes.plot(column(points, x), column(points, what), "o-", ms=3, label=name)


def column(points: Sequence[dict], name: str) -> np.ndarray:
    """One column of a curve's rows, [T] float."""
    return np.array([point[name] for point in points], dtype=float)
