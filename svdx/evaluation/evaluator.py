"""The explanation-loss curve: every threshold in one pass over the excerpts."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import BinaryAccuracy

from svdx.errors import ScoreError
from svdx.evaluation.agreement import Agreement
from svdx.evaluation.curve import TARGET_AREA
from svdx.evaluation.metrics import AUROC, ExplanationLoss, ReconstructionError, RelativeArea
from svdx.evaluation.predictions import MaskPredictor, empty_mask_differs, predict_empty_mask
from svdx.explain.explainer import Explainer
from svdx.explain.masks import check_threshold, largest_mask, relative_area, same_area
from svdx.explain.methods.inversion import FeatureInversion
from svdx.explain.thresholds import Area, Choice

STEPS = 20  # of the deletion and insertion curves
DIGITS = 6  # of a mean threshold, and of an area in per cent
MOST_COMPARED = 1000  # excerpts of which all pairs are compared for the reconstruction error, and
MOST_KEPT = 2**27  # numbers of their features, half a GB: 237 excerpts' maps of conv1


class Evaluator(pl.LightningModule):
    """Test-only module: one score per excerpt, then one masked forward for each of its masks that is a new one
    (see `MaskPredictor`).

    explainer: what is evaluated, with its keep and fill
    thresholds: the points of the curve; the one that a `Choice` makes is written with the mean of its thresholds, and
        that of an `Area` also with the area
    controls: explainers to compare with at the same area
    agreement: also measure how the classifier's confidence follows the explanations (six times the work)
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
        self.found = nn.ModuleList(MeanMetric() for _ in self.thresholds)
        self.networks = nn.ModuleList(explainer.networks())  # they follow the trainer's device
        self.auroc, self.accuracy, self.called_singing = AUROC(), BinaryAccuracy(), MeanMetric()
        self.measures_agreement = agreement

    def setup(self, stage: str) -> None:
        tested = self.trainer.datamodule.test_set
        names = [self.explainer.name, *(control.name for control in self.controls)]
        self.curves = nn.ModuleDict({name: Curve(len(tested.tracks), len(self.thresholds)) for name in names})
        self.empty, self.nothing = ExplanationLoss(len(tested.tracks)), None
        self.agreement = Agreement(len(self.thresholds)) if self.measures_agreement else None
        inverts = isinstance(self.explainer, FeatureInversion)
        size = getattr(self.explainer.inverter, "n_features", 1) if inverts else 1
        self.compared = -(-len(tested) // min(MOST_COMPARED, MOST_KEPT // size))  # every so many-th excerpt
        names = ("input", "features") if inverts else ()
        self.reconstruction = nn.ModuleDict({name: ReconstructionError() for name in names})

    def test_step(self, batch: dict[str, Tensor]) -> None:
        classifier = self.explainer.classifier
        excerpts = classifier.standardise(batch["logmel"])
        score, probability = self.explainer.score_and_predict(excerpts)
        self._compare_with_labels(probability, batch["vocal"])
        salience = self._scaled(score, batch["number"])
        masks = self._masks(excerpts, score, salience)
        predictor = MaskPredictor(self.explainer, excerpts, probability, self._predict_empty_mask(excerpts))
        heard = predictor(masks)
        self._count(self.explainer.name, probability, heard, masks, batch["track"])
        decision = self.explainer.decision
        self.empty.update(probability > decision, predictor.empty > decision, batch["track"])
        for control in self.controls:
            as_large = same_area(control.score(excerpts), masks)
            self._count(control.name, probability, predictor(as_large, (masks, heard)), as_large, batch["track"])
        if self.agreement is not None:
            self._agree(predictor, salience, masks, heard)
        if self.reconstruction:
            self._reconstruct(*(tensor[batch["number"] % self.compared == 0] for tensor in (excerpts, score)))

    def _scaled(self, score: Tensor, numbers: Tensor) -> Tensor:
        """The salience of pictures of the tested excerpts with these numbers, [B]. Raises: ScoreError."""
        try:
            return self.explainer.salience(score)
        except ScoreError as error:
            tested, number = self.trainer.datamodule.test_set, int(numbers[error.number])
            track = tested.tracks[tested.track_of[number]]
            raise ScoreError(f"{track.audio}, excerpt from frame {tested.start_of[number]}: {error}", number) from error

    def _masks(self, excerpts: Tensor, score: Tensor, salience: Tensor) -> Tensor:
        """At every threshold, [T, B, frames, bands] bool."""
        cuts = [self.explainer.cut(excerpts, salience, threshold) for threshold in self.thresholds]
        for mean, (_, found) in zip(self.found, cuts, strict=True):
            mean.update(found)
        return torch.stack([mask for mask, _ in cuts])

    def _predict_empty_mask(self, excerpts: Tensor) -> Tensor:
        """Probabilities under the empty mask, [B]; heard once for all batches where they are the same for all."""
        if empty_mask_differs(self.explainer):
            return predict_empty_mask(self.explainer, excerpts)
        if self.nothing is None:
            self.nothing = predict_empty_mask(self.explainer, excerpts[:1])
        return self.nothing.expand(len(excerpts))

    def _count(self, name: str, probability: Tensor, heard: Tensor, masks: Tensor, track: Tensor) -> None:
        self.curves[name].update(probability > self.explainer.decision, heard > self.explainer.decision, masks, track)

    def _agree(self, predictor: MaskPredictor, salience: Tensor, masks: Tensor, heard: Tensor) -> None:
        vocal = predictor.full > self.explainer.decision

        def of_class(p: Tensor) -> Tensor:
            return torch.where(vocal, p, 1 - p)

        shares = torch.linspace(0, 1, STEPS + 1, device=salience.device)
        counts = (shares * salience[0].numel()).round().long()
        order = salience if self.explainer.keep == "salient" else -salience
        first = torch.stack([largest_mask(order, count.expand(len(salience))) for count in counts])
        curves = (of_class(predictor(kept)).T for kept in (first, ~first))
        self.agreement.update(of_class(predictor.full), of_class(heard), of_class(predictor(~masks)), *curves)

    def _reconstruct(self, excerpts: Tensor, score: Tensor) -> None:
        if len(excerpts):
            features = self.explainer.features
            self.reconstruction["input"].update(excerpts, score)
            self.reconstruction["features"].update(features(excerpts), features(score))

    def _compare_with_labels(self, probability: Tensor, vocal: Tensor) -> None:
        called = probability > self.explainer.decision
        self.auroc.update(probability, vocal.int())
        self.accuracy.update(called.int(), vocal.int())
        self.called_singing.update(called.float())

    def on_test_epoch_end(self) -> None:
        """Log how well the classifier itself did on these excerpts; AUROC is NaN where they are all of one class."""
        self.log("classifier/auroc", self.auroc.compute())
        self.log("classifier/accuracy", self.accuracy.compute())
        self.log("classifier/called_singing", self.called_singing.compute())
        for name, error in self.reconstruction.items():
            self.log(f"reconstruction_error/{name}", error.compute())
        empty = self.empty.compute()
        self.log("empty_mask/explanation_loss_percent", empty["explanation_loss_percent"])
        self.log("empty_mask/balanced_loss_percent", empty["balanced_loss_percent"])
        self.points = {name: curve.compute() for name, curve in self.curves.items()}
        found = [round(float(mean.compute()), DIGITS) for mean in self.found]
        pairs = zip(self.thresholds, found, strict=True)
        self.written = [mean if isinstance(threshold, Choice) else float(threshold) for threshold, mean in pairs]
        areas = [cut.area if isinstance(cut, Area) else None for cut in self.thresholds]
        self.asked = [{} if area is None else {TARGET_AREA: round(100 * area, DIGITS)} for area in areas]
        if self.agreement is not None:
            self.agreements = self.agreement.compute()

    def rows(self, data: str, split: str) -> list[dict]:
        """The curves, a row an explainer or control and a threshold, in the columns of curve.csv."""
        head = {"data": data, "split": split, "keep": self.explainer.keep, "fill": self.explainer.fill}
        return [
            {"explainer": name, **head, "threshold": threshold, **point, **asked}
            for name, points in self.points.items()
            for threshold, asked, point in zip(self.written, self.asked, points, strict=True)
        ]

    def agreement_rows(self) -> list[dict]:
        """A row a threshold: what `svdx.evaluation.agreement` defines, with the areas under the two curves."""
        if self.agreement is None:
            return []
        found = zip(self.written, self.agreements, self.asked, strict=True)
        return [{"threshold": threshold, **row, **asked} for threshold, row, asked in found]


class Curve(nn.Module):
    """The two metrics at every threshold."""

    def __init__(self, n_tracks: int, n_thresholds: int) -> None:
        super().__init__()
        self.losses = nn.ModuleList(ExplanationLoss(n_tracks) for _ in range(n_thresholds))
        self.areas = nn.ModuleList(RelativeArea() for _ in range(n_thresholds))

    def update(self, before: Tensor, after: Tensor, masks: Tensor, track: Tensor) -> None:
        """before: labels of the excerpts, [B] bool; after: of their explanations, [T, B]; masks: [T, B, ...] bool;
        track: track numbers, [B]"""
        for labels, kept, loss, area in zip(after, masks, self.losses, self.areas, strict=True):
            loss.update(before, labels, track)
            area.update(relative_area(kept))

    def compute(self) -> list[dict[str, float | int]]:
        """Counts, losses and area at every threshold, whatever the number of processes that updated them."""
        return [
            {**loss.compute(), "relative_area_percent": area.compute()}
            for loss, area in zip(self.losses, self.areas, strict=True)
        ]
