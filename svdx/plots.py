"""Results as matplotlib figures, after the paper's figures 3 and 5. Nothing here saves or shows a figure."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svdx.audio import FrontEnd
from svdx.explain.explainer import Explanation

FREQUENCY_TICKS = (100, 200, 500, 1000, 2000, 4000, 8000)  # Hz


def explanation_figure(explanation: Explanation, frontend: FrontEnd, number: int = 0, title: str = "") -> Figure:
    """The paper's Figure 3 for one excerpt of an explanation: input, inversion, mask, and what is left of the input.

    Mel-scaled frequency in Hz over seconds. number: which of the B excerpts.
    """
    excerpt, picture, mask, masked = (
        getattr(explanation, name)[number].cpu().numpy() for name in ("excerpts", "salience", "mask", "masked")
    )
    before, after = (float(p[number]) for p in (explanation.probability, explanation.masked_probability))
    limits = dict(zip(("vmin", "vmax"), np.percentile(excerpt, [1, 99]), strict=True))
    panels = (
        (f"(a) input, p(singing) = {before:.2f}", excerpt, {**limits, "cmap": "magma"}),
        ("(b) inverted features, scaled to [0, 1]", picture, {"vmin": 0, "vmax": 1, "cmap": "magma"}),
        (f"(c) mask, {100 * mask.mean():.0f} % kept", mask, {"vmin": 0, "vmax": 1, "cmap": "gray"}),
        (f"(d) explanation, p(singing) = {after:.2f}", masked, {**limits, "cmap": "magma"}),
    )
    figure = Figure(figsize=(11, 7), layout="constrained")
    figure.suptitle(title)
    for axes, (name, values, options) in zip(figure.subplots(2, 2, sharex=True, sharey=True).flat, panels, strict=True):
        image = axes.imshow(values.T, origin="lower", aspect="auto", extent=_extent(values, frontend), **options)
        axes.set_title(name, loc="left", fontsize="medium")
        label = "standardised log-mel" if values is excerpt or values is masked else ""
        figure.colorbar(image, ax=axes, pad=0.01, label=label)
    for axes in figure.axes[:4]:
        _label_axes(axes, frontend)
    return figure


def _extent(values: np.ndarray, frontend: FrontEnd) -> tuple[float, float, float, float]:
    return 0, len(values) / frontend.frame_rate, -0.5, values.shape[1] - 0.5


def _label_axes(axes: Axes, frontend: FrontEnd) -> None:
    centres = frontend.band_frequencies().numpy()
    axes.set_yticks(np.interp(FREQUENCY_TICKS, centres, np.arange(len(centres))), FREQUENCY_TICKS)
    axes.label_outer()
    if axes.get_subplotspec().is_first_col():
        axes.set_ylabel("frequency (Hz)")
    if axes.get_subplotspec().is_last_row():
        axes.set_xlabel("time (s)")


def curve_figure(rows: Sequence[dict]) -> Figure:
    """The paper's Figure 5: explanation loss and relative area over the threshold, from the rows of one curve.csv."""
    threshold, loss, area, low, high = (
        np.array([row[key] for row in rows])
        for key in ("threshold", "explanation_loss_percent", "relative_area_percent", "ci_low", "ci_high")
    )
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.fill_between(threshold, low, high, alpha=0.2, label="95 % interval over tracks")
    left.plot(threshold, loss, "o-", label="all excerpts")
    for name, style in (("vocal", "--"), ("nonvocal", ":")):
        per_class = [100 * row[f"flips_{name}"] / row[f"n_{name}"] if row[f"n_{name}"] else np.nan for row in rows]
        left.plot(
            threshold, per_class, style, label=f"predicted {name.replace('non', 'non-')} (n = {rows[0][f'n_{name}']})"
        )
    left.set(ylabel="explanation loss (%)", title="labels flipped when only the region is kept")
    left.legend(fontsize="small")
    right.plot(threshold, area, "o-")
    right.set(ylabel="relative area (%)", title="size of the region")
    for axes in (left, right):
        axes.set(xlabel="threshold", ylim=(-3, 103))
        axes.grid(alpha=0.3)
    first = rows[0]
    figure.suptitle(
        f"{first['explainer']} on {first['data']}, {first['split']} split, keep={first['keep']}, fill={first['fill']}, "
        f"n = {first['n']}"
    )
    return figure
