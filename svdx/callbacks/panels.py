"""What both kinds of run show: some excerpts of a split, and curves as charts and tables of W&B."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import wandb
from pytorch_lightning.loggers import Logger, WandbLogger
from torch.utils.data import Dataset
from wandb.plot import CustomChart

from svdx.audio.logmel import FrontEnd
from svdx.evaluation.curve import group_curves, is_nan, main_curves
from svdx.explain.explainer import Explanation
from svdx.explain.methods.inversion import FeatureInversion
from svdx.report.figures import LOSS, WORDS, axes_of, explanation_figure

SHOWN = FeatureInversion.default_threshold  # of the pictures and sounds, the paper's choice


def spread(total: int, n: int) -> np.ndarray:
    """n numbers (or all, if there are fewer) from the first to the last of `total`, evenly spaced, [n] int."""
    return np.linspace(0, total - 1, min(n, total)).astype(int)


def place(excerpts: Dataset, number: int, frontend: FrontEnd) -> str:
    """Where an excerpt of `svdx.data.excerpts.Excerpts` comes from, for titles."""
    track, start = excerpts.tracks[excerpts.track_of[number]], excerpts.start_of[number] / frontend.frame_rate
    return f"{track.name}, from {start:.2f} s"


def draw(explanation: Explanation, number: int, frontend: FrontEnd, title: str, path: Path, score: str) -> None:
    """Save input, score, mask and explanation of the B excerpts' number-th as a picture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    explanation_figure(explanation, frontend, number, title, score).savefig(path)


def wandb_only(loggers: Sequence[Logger]) -> list[WandbLogger]:
    """The loggers that take pictures, sounds and charts."""
    return [logger for logger in loggers if isinstance(logger, WandbLogger)]


def images(pictures: dict[Path, str]) -> list[wandb.Image]:
    """Files of pictures, each with its caption."""
    return [wandb.Image(str(path), caption=caption) for path, caption in pictures.items()]


def charts(section: str, rows: Sequence[dict]) -> dict[str, CustomChart]:
    """Loss and area over the threshold as line charts, from rows of curve.csv; or loss and threshold over the area.

    W&B keeps a chart's points as a table of its name with `_table` behind it: no other may have that name. The area
    of a control is that of the explanation.
    """
    curves, (across, beside) = group_curves(rows), axes_of(rows)
    return {
        f"{section}/explanation_loss": _lines(curves, across, LOSS, "explanation loss (%)"),
        f"{section}/{beside.removesuffix('_percent')}": _lines(main_curves(curves), across, beside, WORDS[beside]),
    }


def _lines(curves: dict[str, list[dict]], across: str, column: str, title: str) -> CustomChart:
    x, y = ([[row[name] for row in points] for points in curves.values()] for name in (across, column))
    return wandb.plot.line_series(x, y, keys=list(curves), title=title, xname=WORDS[across])


def table(rows: Sequence[dict]) -> wandb.Table:
    """Rows with the same keys as a table; NaN is an empty cell."""
    data = [[None if is_nan(value) else value for value in row.values()] for row in rows]
    return wandb.Table(columns=list(rows[0]), data=data)
