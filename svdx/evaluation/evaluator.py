"""The explanation-loss curve: all thresholds in one pass over the excerpts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import BinaryAccuracy

from svdx.errors import ScoreError
from svdx.evaluation.agreement import Agreement
from svdx.evaluation.curve import TARGET_AREA
from svdx.evaluation.metrics import AUROC, Curve, ExplanationLoss, ReconstructionError
from svdx.evaluation.predictions import MaskPredictor, empty_mask_differs, predict_empty_mask
from svdx.explanation.explainer import Explainer
from svdx.explanation.masks import check_threshold, largest_mask, same_area
from svdx.explanation.methods.inversion import FeatureInversion
from svdx.explanation.thresholds import Area, Choice

STEPS = 20  # of the deletion and insertion curves
DIGITS = 6  # of a mean threshold, and of an area in per cent
MOST_COMPARED = 1000  # excerpts that the reconstruction error compares pairwise, and
MOST_KEPT = 2**27  # numbers in their features: 0.5 GB, or 237 excerpts' maps of conv1


class Evaluator(pl.LightningModule):
    """Test-only module: computes one score per excerpt and one forward pass per distinct mask (`MaskPredictor`).

    explainer: the explainer to evaluate, with its keep and fill
    thresholds: the points of the curve. A `Choice` appears in the rows with the mean of its thresholds, an `Area`
        also with the area
    controls: explainers to compare with, at the areas of the explainer's masks
    agreement: also measure agreement with the classifier's confidence (six times as slow)
    """

    def __init__(
        self,
        explainer: Explainer,
        thresholds: Sequence[float | Choice],
        controls: Sequence[Explainer] = (),
        agreement: bool = False,
    ) -> None:
        super().__init__()
        for threshold in thresholds:
            if not isinstance(threshold, Choice):
                check_threshold(threshold, "thresholds")
        self.explainer, self.thresholds, self.controls = explainer, list(thresholds), list(controls)
        self.inversion = explainer if isinstance(explainer, FeatureInversion) else None
        self.networks = nn.ModuleList(explainer.networks())  # they follow the trainer's device
        self.auroc, self.accuracy, self.called_singing = AUROC(), BinaryAccuracy(), MeanMetric()
        self.mean_thresholds = [MeanMetric() for _ in self.thresholds]
        self.measures_agreement = agreement

    @property
    def tested(self) -> Any:
        """The `svdx.data.excerpts.Excerpts` that are tested."""
        return self.trainer.datamodule.test_set  # type: ignore[attr-defined]  # Lightning sets it

    def setup(self, stage: str) -> None:
        n_tracks = len(self.tested.tracks)
        names = [self.explainer.name, *(control.name for control in self.controls)]
        self.curves = {name: Curve(n_tracks, len(self.thresholds)) for name in names}
        self.empty_loss = ExplanationLoss(n_tracks)
        self.empty: Tensor | None = None  # probability under the empty mask, where it is the same for all excerpts
        self.agreement = Agreement(len(self.thresholds)) if self.measures_agreement else None
        n_features = getattr(self.inversion.inverter, "n_features", 1) if self.inversion else 1
        self.compare_every = -(-len(self.tested) // min(MOST_COMPARED, MOST_KEPT // n_features))
        self.reconstruction = {name: ReconstructionError() for name in ("input", "features") if self.inversion}
        metrics = [*self.mean_thresholds, *self.curves.values(), *self.reconstruction.values()]
        self.metrics = nn.ModuleList(metrics)  # they follow the trainer's device

    def test_step(self, batch: dict[str, Tensor]) -> None:
        classifier: Any = self.explainer.classifier
        excerpts = classifier.standardise(batch["logmel"])
        score, probability = self.explainer.score_and_predict(excerpts)
        self._update_classifier_metrics(probability, batch["vocal"])
        salience = self._salience(score, batch["number"])
        masks = self._masks(excerpts, salience)
        predictor = MaskPredictor(self.explainer, excerpts, probability, self._predict_empty_mask(excerpts))
        predictions = predictor(masks)
        decision, track = self.explainer.decision, batch["track"]
        vocal = probability > decision
        self.curves[self.explainer.name].update(vocal, predictions > decision, masks, track)
        self.empty_loss.update(vocal, predictor.empty > decision, track)
        for control in self.controls:
            control_masks = same_area(control.score(excerpts), masks)
            controlled = predictor(control_masks, (masks, predictions))
            self.curves[control.name].update(vocal, controlled > decision, control_masks, track)
        if self.agreement is not None:
            self._update_agreement(self.agreement, predictor, salience, masks, predictions)
        if self.inversion is not None:
            compared = batch["number"] % self.compare_every == 0
            self._update_reconstruction(self.inversion, excerpts[compared], score[compared])

    def _salience(self, score: Tensor, numbers: Tensor) -> Tensor:
        """Salience of the scores of the tested excerpts with these numbers, [B]. Raises: ScoreError."""
        try:
            return self.explainer.salience(score)
        except ScoreError as error:
            number = int(numbers[error.number])
            track, start = self.tested.tracks[self.tested.track_of[number]], self.tested.start_of[number]
            raise ScoreError(f"{track.audio}, excerpt from frame {start}: {error}", number) from error

    def _masks(self, excerpts: Tensor, salience: Tensor) -> Tensor:
        """Masks at every threshold, [T, B, frames, bands] bool."""
        cuts = [self.explainer.cut(excerpts, salience, threshold) for threshold in self.thresholds]
        for mean, (_, thresholds) in zip(self.mean_thresholds, cuts, strict=True):
            mean.update(thresholds)
        return torch.stack([mask for mask, _ in cuts])

    def _predict_empty_mask(self, excerpts: Tensor) -> Tensor:
        """Probabilities under the empty mask, [B]; computed once if they are the same for all excerpts."""
        if empty_mask_differs(self.explainer):
            return predict_empty_mask(self.explainer, excerpts)
        if self.empty is None:
            self.empty = predict_empty_mask(self.explainer, excerpts[:1])
        return self.empty.expand(len(excerpts))

    def _update_agreement(
        self, agreement: Agreement, predictor: MaskPredictor, salience: Tensor, masks: Tensor, predictions: Tensor
    ) -> None:
        vocal = predictor.full > self.explainer.decision

        def of_class(p: Tensor) -> Tensor:
            return torch.where(vocal, p, 1 - p)

        shares = torch.linspace(0, 1, STEPS + 1, device=salience.device)
        counts = (shares * salience[0].numel()).round().long()
        order = salience if self.explainer.keep == "salient" else -salience
        most_salient = torch.stack([largest_mask(order, count.expand(len(salience))) for count in counts])
        insertion, deletion = (of_class(predictor(kept)).T for kept in (most_salient, ~most_salient))
        removed = of_class(predictor(~masks))
        agreement.update(of_class(predictor.full), of_class(predictions), removed, insertion, deletion)

    def _update_reconstruction(self, inversion: FeatureInversion, excerpts: Tensor, inverted: Tensor) -> None:
        if len(excerpts):
            self.reconstruction["input"].update(excerpts, inverted)
            self.reconstruction["features"].update(inversion.features(excerpts), inversion.features(inverted))

    def _update_classifier_metrics(self, probability: Tensor, vocal: Tensor) -> None:
        called_singing = probability > self.explainer.decision
        self.auroc.update(probability, vocal.int())
        self.accuracy.update(called_singing.int(), vocal.int())
        self.called_singing.update(called_singing.float())

    def on_test_epoch_end(self) -> None:
        """Log the classifier's own scores on these excerpts; AUROC is NaN if they are all of one class."""
        self.log("classifier/auroc", self.auroc.compute())
        self.log("classifier/accuracy", self.accuracy.compute())
        self.log("classifier/called_singing", self.called_singing.compute())
        for name, error in self.reconstruction.items():
            self.log(f"reconstruction_error/{name}", error.compute())
        empty = self.empty_loss.compute()
        for name in ("explanation_loss_percent", "balanced_loss_percent"):
            self.log(f"empty_mask/{name}", empty[name])
        self._points = {name: curve.compute() for name, curve in self.curves.items()}
        means = [round(float(mean.compute()), DIGITS) for mean in self.mean_thresholds]
        self._cuts = [_row_of_cut(cut, mean) for cut, mean in zip(self.thresholds, means, strict=True)]
        self._agreements = self.agreement.compute() if self.agreement is not None else []

    def rows(self, data: str, split: str) -> list[dict]:
        """The curves in the columns of curve.csv: one row per explainer or control and threshold."""
        head = {"data": data, "split": split, "keep": self.explainer.keep, "fill": self.explainer.fill}
        return [
            {"explainer": name, **head, "threshold": cut["threshold"], **point, **cut}
            for name, points in self._points.items()
            for cut, point in zip(self._cuts, points, strict=True)
        ]

    def agreement_rows(self) -> list[dict]:
        """One row per threshold: the measures of `svdx.evaluation.agreement`. Empty if they were not computed."""
        return [{"threshold": cut["threshold"], **row, **cut} for cut, row in zip(self._cuts, self._agreements)]


def _row_of_cut(cut: float | Choice, mean_threshold: float) -> dict[str, float]:
    """The columns of curve.csv that tell where excerpts were cut."""
    if not isinstance(cut, Choice):
        return {"threshold": float(cut)}
    area = {TARGET_AREA: round(100 * cut.area, DIGITS)} if isinstance(cut, Area) else {}
    return {"threshold": mean_threshold, **area}
