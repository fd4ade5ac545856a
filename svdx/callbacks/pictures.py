"""Pictures, sounds, tables and charts on the loggers that show them: W&B, TensorBoard and MLflow.

What is logged here also lies in files beside the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import soundfile
from pytorch_lightning.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger

from svdx.audio.logmel import FrontEnd
from svdx.data.excerpts import Excerpts
from svdx.evaluation.curve import group_curves, is_nan, main_curves
from svdx.explanation.explainer import Explanation
from svdx.report.curve_figure import LABELS, LOSS, axes_of
from svdx.report.figures import explanation_figure

if TYPE_CHECKING:
    import wandb
    from wandb.plot import CustomChart

Captions = Mapping[Path, str]  # caption of each file
Rows = Sequence[dict[str, Any]]  # of a CSV file


def log_media(
    loggers: Sequence[Logger],
    pictures: Mapping[str, Captions],
    sounds: Mapping[str, Captions] | None = None,
    tables: Mapping[str, Rows] | None = None,
    curves: Mapping[str, Rows] | None = None,
    step: int | None = None,
) -> None:
    """Log PNG and WAV files under their keys. W&B also shows tables, and the rows of a curve.csv as charts, each under
    the name of its section."""
    sounds = sounds or {}
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            _log_to_wandb(logger, pictures, sounds, tables or {}, curves or {}, step)
        elif isinstance(logger, TensorBoardLogger):
            _log_to_tensorboard(logger, pictures, sounds, step or 0)
        elif isinstance(logger, MLFlowLogger):
            for key, files in {**pictures, **sounds}.items():
                folder = key if step is None else f"{key}/step-{step}"
                for path in files:
                    logger.experiment.log_artifact(logger.run_id, str(path), folder)


def log_results(loggers: Sequence[Logger], numbers: Mapping[str, float]) -> None:
    """Log the numbers of a finished run: the summary of W&B, metrics elsewhere. metrics.csv does not hold them."""
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.summary.update(dict(numbers))
        elif isinstance(logger, TensorBoardLogger | MLFlowLogger):
            logger.log_metrics(dict(numbers), step=0)
            logger.save()


def save_explanation(
    explanation: Explanation, number: int, frontend: FrontEnd, title: str, path: Path, score: str
) -> None:
    """Save input, score, mask and explanation of the excerpt `number` in a batch as a PNG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    explanation_figure(explanation, frontend, number, title, score).savefig(path)


def excerpt_title(excerpts: Excerpts, number: int, frontend: FrontEnd) -> str:
    """Track and start of an excerpt."""
    track, start = excerpts.tracks[excerpts.track_of[number]], excerpts.start_of[number] / frontend.frame_rate
    return f"{track.name}, from {start:.2f} s"


def _log_to_wandb(
    logger: WandbLogger,
    pictures: Mapping[str, Captions],
    sounds: Mapping[str, Captions],
    tables: Mapping[str, Rows],
    curves: Mapping[str, Rows],
    step: int | None,
) -> None:
    import wandb

    media: dict[str, Any] = {}
    for key, files in pictures.items():
        media[key] = [wandb.Image(str(path), caption=caption) for path, caption in files.items()]
    for key, files in sounds.items():
        media[key] = [wandb.Audio(str(path), caption=caption) for path, caption in files.items()]
    for key, rows in tables.items():
        media[key] = wandb_table(rows)
    for section, rows in curves.items():
        media |= wandb_charts(section, rows)
    logger.log_metrics(media, step)


def _log_to_tensorboard(
    logger: TensorBoardLogger, pictures: Mapping[str, Captions], sounds: Mapping[str, Captions], step: int
) -> None:
    from PIL import Image

    for key, files in pictures.items():
        for path in files:
            pixels = np.asarray(Image.open(path).convert("RGB"))
            logger.experiment.add_image(f"{key}/{path.stem}", pixels, step, dataformats="HWC")
    for key, files in sounds.items():
        for path in files:
            samples, rate = soundfile.read(path, dtype="float32")
            logger.experiment.add_audio(f"{key}/{path.stem}", samples[None], step, rate)


def wandb_table(rows: Rows) -> wandb.Table:
    """Rows with the same keys as a table; NaN is an empty cell."""
    import wandb

    data = [[None if is_nan(value) else value for value in row.values()] for row in rows]
    return wandb.Table(columns=list(rows[0]), data=data)


def wandb_charts(section: str, rows: Rows) -> dict[str, CustomChart]:
    """Loss and area over the threshold as line charts, from rows of curve.csv; or loss and threshold over the area.

    W&B keeps a chart's points in a table named like the chart with `_table` appended: nothing else may have that name.
    The area of a control is that of the explanation.
    """
    curves, (across, beside) = group_curves(rows), axes_of(rows)
    return {
        f"{section}/explanation_loss": _line_chart(curves, across, LOSS, "explanation loss (%)"),
        f"{section}/{beside.removesuffix('_percent')}": _line_chart(
            main_curves(curves), across, beside, LABELS[beside]
        ),
    }


def _line_chart(curves: Mapping[str, Rows], across: str, column: str, title: str) -> CustomChart:
    import wandb

    x, y = ([[row[name] for row in points] for points in curves.values()] for name in (across, column))
    return wandb.plot.line_series(x, y, keys=list(curves), title=title, xname=LABELS[across])
