"""What the inverter explains so far: a curve and pictures after each validation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch

from svdx.callbacks.pictures import excerpt_title, log_media, save_explanation
from svdx.data.datamodule import ExcerptsData
from svdx.data.excerpts import spread
from svdx.evaluation.curve import write_curve
from svdx.evaluation.metrics import Curve, ExplanationLoss
from svdx.evaluation.predictions import MaskPredictor, predict_empty_mask
from svdx.explanation.explainer import Explanation
from svdx.explanation.methods.inversion import FeatureInversion
from svdx.report.curve_figure import AREA, LOSS, curve_figure
from svdx.schema.types import NonNegativeInt, PositiveInt, Threshold

THRESHOLD = FeatureInversion.default_threshold  # of the pictures and of the logged point, the paper's choice
LOSSES = (LOSS, "balanced_loss_percent")
LOGGED = (*LOSSES, "n_vocal", "flips_vocal", "n_nonvocal", "flips_nonvocal", AREA)


class ExplainValidation(pl.Callback):
    """After each validation of the inverter: the explanation-loss curve of a sample, and pictures of a few excerpts.

    Sample and pictures are the same each time, spread evenly over the validation excerpts. They are saved in
    `explanations/epoch-007/` of the trainer's root directory: curve.csv, curve.png and a PNG file per picture. The
    curve's point at THRESHOLD is logged: pooled and balanced loss, both also of the empty mask, and the counts of the
    classes. The training of a classifier is left alone.

    n: size of the sample; pictures: number of pictures; thresholds: points of the curve, THRESHOLD is always one. A few
    suffice, since the classifier evaluates the whole sample at each.
    """

    def __init__(
        self, n: PositiveInt = 32, pictures: NonNegativeInt = 4, thresholds: Sequence[Threshold] = (0.2, 0.4, 0.8, 1.0)
    ) -> None:
        self.n, self.pictures = n, pictures
        self.thresholds = sorted({*thresholds, THRESHOLD})

    @torch.no_grad()
    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        if not hasattr(pl_module, "classifier"):
            return
        data: ExcerptsData = trainer.datamodule  # type: ignore[attr-defined]
        excerpts, classifier, device = data.valid_set, pl_module.classifier, pl_module.device
        numbers = spread(len(excerpts), self.n)[trainer.global_rank :: trainer.world_size]  # the share of this process
        explainer = FeatureInversion(classifier, pl_module.network, threshold=THRESHOLD)
        curve = Curve(len(excerpts.tracks), len(self.thresholds)).to(device)
        empty = ExplanationLoss(len(excerpts.tracks)).to(device)
        explanation = None
        if len(numbers):  # there may be more processes than excerpts
            batch = excerpts[numbers]
            explanation = explainer(classifier.standardise(batch["logmel"].to(device)))
            self._update(explainer, explanation, batch["track"].to(device), curve, empty)
        head = {"explainer": explainer.name, "data": data.corpus.name, "split": "valid"}
        head |= {"keep": explainer.keep, "fill": explainer.fill}
        rows = [{**head, "threshold": threshold, **point} for threshold, point in zip(self.thresholds, curve.compute())]
        point, nothing = rows[self.thresholds.index(THRESHOLD)], empty.compute()
        logged = {name: point[name] for name in LOGGED} | {f"empty_mask/{name}": nothing[name] for name in LOSSES}
        pl_module.log_dict({f"valid/{name}": float(value) for name, value in logged.items()}, sync_dist=True)
        if trainer.is_global_zero and explanation is not None:
            self._save(trainer, data, explanation, numbers, rows)

    def _update(
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

    def _save(
        self, trainer: pl.Trainer, data: ExcerptsData, explanation: Explanation, numbers: np.ndarray, rows: list[dict]
    ) -> None:
        epoch, frontend = trainer.current_epoch + 1, data.store.frontend
        directory = Path(trainer.default_root_dir) / "explanations" / f"epoch-{epoch:03d}"
        captions = {}
        for chosen in spread(len(numbers), self.pictures):
            path = directory / f"excerpt-{numbers[chosen]:05d}.png"
            captions[path] = excerpt_title(data.valid_set, numbers[chosen], frontend)
            title = f"{captions[path]}; epoch {epoch}, threshold {THRESHOLD}"
            save_explanation(explanation, chosen, frontend, title, path, FeatureInversion.score_name)
        write_curve(rows, directory / "curve.csv")
        curve_figure(rows).savefig(directory / "curve.png")
        step = trainer.global_step - 1  # that of the validation's numbers
        log_media(trainer.loggers, {"explanations": captions}, curves={"validation_curve": rows}, step=step)
