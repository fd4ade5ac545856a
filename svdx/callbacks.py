"""What is logged while training and evaluating, beside the numbers that the modules log themselves."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger

from svdx.audio import FrontEnd
from svdx.explain.explainer import Explanation
from svdx.explain.inversion import FeatureInversion
from svdx.plots import explanation_figure

log = logging.getLogger(__name__)


class ExplainValidation(pl.Callback):
    """After each of the inverter's validations: explanation loss and area of a fixed sample, and a picture of one.

    The sample is spread evenly over the validation excerpts. Pictures go to `directory` and, where a logger takes
    images (W&B), there as well.

    threshold, n: of the masks, number of excerpts
    """

    def __init__(self, frontend: FrontEnd, directory: str | Path, threshold: float = 0.6, n: int = 32) -> None:
        self.frontend, self.directory, self.threshold, self.n = frontend, Path(directory), threshold, n

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.sanity_checking:
            return
        excerpts = trainer.datamodule.valid_set
        numbers = torch.linspace(0, len(excerpts) - 1, min(self.n, len(excerpts))).long().numpy()
        classifier = pl_module.classifier
        logmel = excerpts.__getitems__(numbers)["logmel"].to(pl_module.device)
        explainer = FeatureInversion(classifier, pl_module.network, threshold=self.threshold)
        explanation = explainer(classifier.standardise(logmel))
        pl_module.log("valid/explanation_loss_percent", 100 * explanation.flipped.float().mean(), rank_zero_only=True)
        pl_module.log("valid/relative_area_percent", 100 * explanation.area.mean(), rank_zero_only=True)
        if trainer.is_global_zero:
            self._draw(trainer, explanation)

    def _draw(self, trainer: pl.Trainer, explanation: Explanation) -> None:
        title = f"validation excerpt after epoch {trainer.current_epoch + 1}, threshold {self.threshold}"
        figure = explanation_figure(explanation, self.frontend, title=title)
        self.directory.mkdir(parents=True, exist_ok=True)
        path = self.directory / f"epoch-{trainer.current_epoch + 1:03d}.png"
        figure.savefig(path)
        for logger in trainer.loggers:
            if hasattr(logger, "log_image"):
                logger.log_image("explanation", [str(path)])


def log_curve(loggers: Sequence[Logger], rows: Sequence[dict], picture: Path) -> None:
    """Show an explanation-loss curve, its rows and its picture, where a logger takes tables and images (W&B)."""
    for logger in loggers:
        if hasattr(logger, "log_image"):
            logger.log_image("explanation_loss", [str(picture)])
            logger.log_table("curve", columns=list(rows[0]), data=[list(row.values()) for row in rows])


class EpochLines(pl.Callback):
    """One line of the log per training epoch: the numbers of metrics.csv, for runs without a progress bar too."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        numbers = ", ".join(f"{name} {float(value):.4g}" for name, value in sorted(trainer.callback_metrics.items()))
        log.info(
            f"{type(pl_module).__name__.lower()} epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {numbers}"
        )
