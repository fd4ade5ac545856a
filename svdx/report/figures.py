"""Explanations as matplotlib figures, after the paper's Figure 3. Nothing here saves or shows a figure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from svdx.audio.logmel import FrontEnd
from svdx.errors import printable
from svdx.explanation.explainer import Explanation
from svdx.explanation.maximisation import Extreme
from svdx.explanation.results import ExcerptResult, TrackResult
from svdx.explanation.tracks import TrackExplanation
from svdx.report.facts import title_of
from svdx.report.page_data import FREQUENCIES


def result_figure(result: ExcerptResult | TrackResult) -> Figure:
    """The figure of an excerpt or of a whole track, with its title."""
    if isinstance(result, TrackResult):
        return track_figure(result.explanation, result.frontend, title_of(result), result.method.score_name)
    score = result.method.score_name
    return explanation_figure(result.explanation, result.frontend, title=title_of(result), score=score)


def explanation_figure(
    explanation: Explanation, frontend: FrontEnd, number: int = 0, title: str = "", score: str = "score"
) -> Figure:
    """The paper's Figure 3 for one excerpt: input, score, mask, and masked input; frequency in Hz, on a mel scale, over
    seconds.

    number: which of the B excerpts; score: see `Explainer.score_name`
    """
    excerpt, picture, mask, masked = (
        getattr(explanation, name)[number].cpu().numpy() for name in ("excerpts", "salience", "mask", "masked")
    )
    before, after = (float(p[number]) for p in (explanation.probability, explanation.masked_probability))
    limits = dict(zip(("vmin", "vmax"), np.percentile(excerpt, [1, 99]), strict=True))
    panels = (
        (f"(a) input, p(singing) = {before:.2f}", excerpt, {**limits, "cmap": "magma"}),
        (f"(b) {score}, scaled to [0, 1]", picture, {"vmin": 0, "vmax": 1, "cmap": "magma"}),
        (f"(c) mask, {100 * mask.mean():.0f} % kept", mask, {"vmin": 0, "vmax": 1, "cmap": "gray"}),
        (f"(d) explanation, p(singing) = {after:.2f}", masked, {**limits, "cmap": "magma"}),
    )
    figure = Figure(figsize=(11, 7), layout="constrained")
    figure.suptitle(printable(title), parse_math=False)
    for axes, (name, values, options) in zip(figure.subplots(2, 2, sharex=True, sharey=True).flat, panels, strict=True):
        image = axes.imshow(values.T, origin="lower", aspect="auto", extent=_extent(values, frontend), **options)
        axes.set_title(name, loc="left", fontsize="medium")
        label = "standardised log-mel" if values is excerpt or values is masked else ""
        figure.colorbar(image, ax=axes, pad=0.01, label=label)
    for axes in figure.axes[:4]:
        _label_axes(axes, frontend)
    return figure


def track_figure(explanation: TrackExplanation, frontend: FrontEnd, title: str = "", score: str = "score") -> Figure:
    """A whole track: probability of singing over time, input, merged scores, and masked input.

    score: see `Explainer.score_name`
    """
    track, salience, masked = (getattr(explanation, name).cpu().numpy() for name in ("track", "salience", "masked"))
    limits = dict(zip(("vmin", "vmax"), np.percentile(track, [1, 99]), strict=True))
    panels = (
        ("(b) input", track, limits),
        (f"(c) {score}, scaled to [0, 1], merged over all excerpts", salience, {"vmin": 0, "vmax": 1}),
        (f"(d) explanation, {100 * explanation.area:.0f} % kept", masked, limits),
    )
    figure = Figure(figsize=(11, 9), layout="constrained")
    figure.suptitle(printable(title), parse_math=False)
    top, *below = figure.subplots(4, 1, sharex=True, height_ratios=(1, 2, 2, 2))
    _draw_probability(top, explanation, frontend)
    for axes, (name, values, options) in zip(below, panels, strict=True):
        axes.imshow(values.T, origin="lower", aspect="auto", extent=_extent(values, frontend), cmap="magma", **options)
        axes.set_title(name, loc="left", fontsize="medium")
        _label_axes(axes, frontend, FREQUENCIES[::2])  # low panels
    return figure


def _draw_probability(axes: Axes, explanation: TrackExplanation, frontend: FrontEnd) -> None:
    """At the excerpts' centres; dashed: singing is above."""
    centres = (explanation.starts.numpy() + frontend.excerpt_frames / 2) / frontend.frame_rate
    for name, probability in (("track", explanation.probability), ("explanation", explanation.masked_probability)):
        axes.plot(centres, probability.cpu().numpy(), label=name)
    axes.axhline(explanation.decision, color="0.5", ls="--")
    axes.set(ylim=(-0.05, 1.05), ylabel="p(singing)")
    axes.set_title(
        "(a) probability of singing in each excerpt; dashed: the decision threshold", loc="left", fontsize="medium"
    )
    axes.legend(fontsize="small", ncols=2, loc="lower right", bbox_to_anchor=(1, 0.97), frameon=False)


def unit_figure(unit: str, extremes: dict[str, Extreme], frontend: FrontEnd) -> Figure:
    """Log-mels that maximise and minimise a unit; right: the unit's activation over the optimiser's steps."""
    figure = Figure(figsize=(11, 1 + 3.2 * len(extremes)), layout="constrained")
    figure.suptitle(f"{unit}: log-odds of singing" if unit == "fc9" else f"{unit}: activation")
    rows = figure.subplots(len(extremes), 2, width_ratios=(3, 2), squeeze=False)
    for (left, right), (name, extreme) in zip(rows, extremes.items(), strict=True):
        values = extreme.excerpt.cpu().numpy()
        limit = np.abs(values).max()
        colours = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit}
        image = left.imshow(values.T, origin="lower", aspect="auto", extent=_extent(values, frontend), **colours)
        left.set_title(f"{name}: {extreme.activation:.2f}", loc="left", fontsize="medium")
        figure.colorbar(image, ax=left, pad=0.01, label="deviations from the training mean")
        _label_axes(left, frontend)
        right.plot(extreme.trace.cpu().numpy())
        right.set_ylabel("activation")
        right.grid(alpha=0.3)
    right.set_xlabel("step")
    return figure


def _extent(values: np.ndarray, frontend: FrontEnd) -> tuple[float, float, float, float]:
    return 0, len(values) / frontend.frame_rate, -0.5, values.shape[1] - 0.5


def _label_axes(axes: Axes, frontend: FrontEnd, frequencies: Sequence[int] = FREQUENCIES) -> None:
    centres = frontend.band_frequencies().numpy()
    axes.set_yticks(np.interp(frequencies, centres, np.arange(len(centres))), list(map(str, frequencies)))
    axes.label_outer()
    place = axes.get_subplotspec()
    assert place is not None, "made by Figure.subplots"
    if place.is_first_col():
        axes.set_ylabel("frequency (Hz)")
    if place.is_last_row():
        axes.set_xlabel("time (s)")
