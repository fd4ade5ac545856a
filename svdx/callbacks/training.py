"""While training: one line of the log an epoch, the learning rate, and what the inverter explains by now."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch

from svdx.audio.logmel import FrontEnd
from svdx.callbacks.panels import SHOWN, charts, draw, images, place, spread, wandb_only
from svdx.evaluation.curve import write_curve
from svdx.evaluation.metrics import Curve, ExplanationLoss
from svdx.evaluation.predictions import MaskPredictor, predict_empty_mask
from svdx.explain.explainer import Explanation
from svdx.explain.methods.inversion import FeatureInversion
from svdx.report.figures import AREA, LOSS, curve_figure

log = logging.getLogger(__name__)

POINTS = (0.2, 0.4, SHOWN, 0.8, 1.0)  # thresholds: few, since the classifier hears the whole sample at each

LOSSES = (LOSS, "balanced_loss_percent")
LOGGED = (*LOSSES, "n_vocal", "flips_vocal", "n_nonvocal", "flips_nonvocal", AREA)


class ExplainValidation(pl.Callback):
    """After each of the inverter's validations: the explanation-loss curve of a fixed sample, and pictures of some.

    Sample and pictures are spread evenly over the validation excerpts. `directory/epoch-007/` holds curve.csv,
    curve.png and a picture for each of the some; W&B shows the same. The curve's point at the threshold SHOWN is
    logged: the pooled loss with the balanced one, both of the empty mask too, and the counts of the classes.

    n, pictures: number of excerpts heard and shown; thresholds: the curve's points
    """

    def __init__(
        self,
        frontend: FrontEnd,
        directory: str | Path,
        n: int = 32,
        pictures: int = 4,
        thresholds: Sequence[float] = POINTS,
    ) -> None:
        self.frontend, self.directory, self.n, self.pictures = frontend, Path(directory), n, pictures
        self.thresholds = sorted({*thresholds, SHOWN})

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        excerpts, classifier = trainer.datamodule.valid_set, pl_module.classifier
        numbers = spread(len(excerpts), self.n)[trainer.global_rank :: trainer.world_size]  # each process its share
        explainer = FeatureInversion(classifier, pl_module.network, threshold=SHOWN)
        curve = Curve(len(excerpts.tracks), len(self.thresholds)).to(pl_module.device)
        empty = ExplanationLoss(len(excerpts.tracks)).to(pl_module.device)
        explanation = None
        if len(numbers):  # there may be more processes than excerpts
            batch = excerpts[numbers]
            explanation = explainer(classifier.standardise(batch["logmel"].to(pl_module.device)))
            self._count(explainer, explanation, batch["track"].to(pl_module.device), curve, empty)
        head = {"explainer": explainer.name, "data": trainer.datamodule.corpus.name, "split": "valid"}
        head |= {"keep": explainer.keep, "fill": explainer.fill}
        rows = [{**head, "threshold": threshold, **point} for threshold, point in zip(self.thresholds, curve.compute())]
        point, nothing = rows[self.thresholds.index(SHOWN)], empty.compute()
        logged = {name: point[name] for name in LOGGED} | {f"empty_mask/{name}": nothing[name] for name in LOSSES}
        pl_module.log_dict({f"valid/{name}": float(value) for name, value in logged.items()}, sync_dist=True)
        if trainer.is_global_zero:
            self._show(trainer, explanation, numbers, rows)

    def _count(
        self,
        explainer: FeatureInversion,
        explanation: Explanation,
        track: torch.Tensor,
        curve: Curve,
        empty: ExplanationLoss,
    ) -> None:
        """Update the curve, and the loss of the empty mask, with the sample of this process."""
        excerpts, decision = explanation.excerpts, explainer.decision
        predictor = MaskPredictor(explainer, excerpts, explanation.probability, predict_empty_mask(explainer, excerpts))
        masks = torch.stack([explainer.mask(explanation.salience, threshold) for threshold in self.thresholds])
        curve.update(explanation.vocal, predictor(masks) > decision, masks, track)
        empty.update(explanation.vocal, predictor.empty > decision, track)

    def _show(self, trainer: pl.Trainer, explanation: Explanation, numbers: np.ndarray, rows: list[dict]) -> None:
        epoch, excerpts = trainer.current_epoch + 1, trainer.datamodule.valid_set
        directory = self.directory / f"epoch-{epoch:03d}"
        captions = {}
        for chosen in spread(len(numbers), self.pictures):
            path = directory / f"excerpt-{numbers[chosen]:05d}.png"
            captions[path] = place(excerpts, numbers[chosen], self.frontend)
            title = f"{captions[path]}; epoch {epoch}, threshold {SHOWN}"
            draw(explanation, chosen, self.frontend, title, path, FeatureInversion.score_name)
        write_curve(rows, directory / "curve.csv")
        curve_figure(rows).savefig(directory / "curve.png")
        for logger in wandb_only(trainer.loggers):
            shown = {"explanations": images(captions), **charts("validation_curve", rows)}
            logger.log_metrics(shown, step=trainer.global_step - 1)  # the step of the validation's numbers


class LearningRate(pl.Callback):
    """The learning rate that each training epoch begins with, in the row of that epoch's other numbers."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        pl_module.log("train/learning_rate", rate, sync_dist=True)


class EpochLines(pl.Callback):
    """One line of the log per training epoch: the numbers of metrics.csv, for runs without a progress bar too. Those of
    the validation stand where it was in that epoch."""

    def __init__(self) -> None:
        self.validated = -1

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.validated = trainer.current_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if not trainer.is_global_zero:
            return
        stale = () if self.validated == trainer.current_epoch else ("valid/",)
        found = {name: float(value) for name, value in trainer.callback_metrics.items() if not name.startswith(stale)}
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in sorted(found.items()))
        log.info(
            f"{type(pl_module).__name__.lower()} epoch {trainer.current_epoch + 1}/{trainer.max_epochs}: {numbers}"
        )
