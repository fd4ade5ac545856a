"""Figures of a comparison of explainers. Nothing here saves or shows a figure."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svdx.audio.logmel import FrontEnd
from svdx.comparison.measures import CHANCE, DELETION, LOSS
from svdx.comparison.results import EMPTY, Results
from svdx.comparison.study import Study
from svdx.errors import printable

PANELS = ((LOSS, "E_loss (%): only these bins kept ↓"), (DELETION, "deletion (%): these bins removed ↑"))
STYLES = ("-", "--", ":", "-.")  # each with ten colours


def equal_area_figure(results: Results, study: Study) -> Figure:
    """Explanation loss and deletion over the area, with one row of panels per fill. Random bins are black; the grey
    line is the loss of the empty mask."""
    figure = Figure(figsize=(13, 1 + 3.6 * len(study.fills)), layout="constrained")
    figure.suptitle(f"labels that change, {results.headline}, over the share of bins; {len(study.vocal)} excerpts")
    grid = figure.subplots(len(study.fills), 2, sharex=True, sharey=True, squeeze=False)
    for fill, row in zip(study.fills, grid, strict=True):
        for axes, (metric, title) in zip(row, PANELS, strict=True):
            _draw_curves(axes, results, study, metric, fill)
            axes.set_title(f"{title}, fill={fill}", loc="left", fontsize="medium")
    shares = 100 * study.areas
    for axes in grid.flat:
        axes.set(xscale="log", ylim=(-3, 103))
        axes.set_xticks(shares, [f"{share:g}" for share in shares])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    for axes in grid[-1]:
        axes.set_xlabel("share of bins (%)")
    lines, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside right upper", fontsize="small")
    return figure


def _draw_curves(axes: Axes, results: Results, study: Study, metric: str, fill: str) -> None:
    coloured = [name for name in results.methods if name != CHANCE]
    for name in results.methods:
        values = [results.value(name, metric, fill, float(area), results.headline) for area in study.areas]
        style: dict[str, Any] = dict(color="black", lw=2.5, zorder=3)
        if name != CHANCE:
            number = coloured.index(name)
            style = dict(color=f"C{number % 10}", ls=STYLES[number // 10 % len(STYLES)], lw=2.5 if number == 0 else 1.2)
        axes.plot(100 * study.areas, values, marker=".", label=name, **style)
    nothing = results.value(EMPTY, LOSS, fill, 0.0, results.headline)
    axes.axhline(nothing, color="grey", ls=(0, (1, 1)), lw=2, zorder=1, label=EMPTY)


def excerpts_figure(study: Study, frontend: FrontEnd, best: float) -> Figure:
    """The same excerpts under all methods: the input, and the scores of every method with its best bins outlined.

    Brightness is the rank of the score among the excerpt's bins, since methods do not share a scale; equal scores are
    equally bright.

    best: share of the bins to outline
    """
    from scipy.stats import rankdata

    n, names = len(study.shown), list(study.methods)
    figure = Figure(figsize=(2.1 * n + 1.6, 1.5 * (len(names) + 1) + 0.6), layout="constrained")
    figure.suptitle(f"brightness: rank of the score; outlined: the best {100 * best:g} % of the bins")
    grid = figure.subplots(len(names) + 1, n, sharex=True, sharey=True, squeeze=False)
    for column, (axes, values) in enumerate(zip(grid[0], study.logmel, strict=True)):
        _show(axes, values, frontend, *np.percentile(values, [1, 99]))
        axes.set_title(_heading(study, study.shown[column], frontend), fontsize="small", parse_math=False)
    for row, name in zip(grid[1:], names, strict=True):
        for axes, score, rank in zip(row, *(study.methods[name][kind] for kind in ("picture", "rank")), strict=True):
            _show(axes, rankdata(score).reshape(score.shape) / score.size, frontend, 0, 1)
            kept = rank < max(1, round(best * rank.size))
            x, y = ((np.arange(size) + 0.5) / size for size in kept.shape)
            axes.contour(x * len(rank) / frontend.frame_rate, y, kept.T, [0.5], colors="#5ff2ff", linewidths=0.7)
    for name, axes in zip(["input", *names], grid[:, 0], strict=True):
        axes.set_ylabel(name, rotation=0, ha="right", va="center", fontsize="small")
    for axes in grid[-1]:
        axes.set_xlabel("time (s)", fontsize="small")
    return figure


def _show(axes: Axes, values: np.ndarray, frontend: FrontEnd, low: float, high: float) -> None:
    """Draw [frames, bands] with the low bands at the bottom, as the other figures do, but without frequencies."""
    extent = (0, len(values) / frontend.frame_rate, 0, 1)
    axes.imshow(values.T, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=low, vmax=high)
    axes.set_yticks([])
    axes.tick_params(labelsize="x-small")


def _heading(study: Study, number: int, frontend: FrontEnd) -> str:
    track = printable(study.names[study.track[number]])
    return f"{track}\n{study.start[number] / frontend.frame_rate:.1f} s, p(singing) = {study.probability[number]:.2f}"
