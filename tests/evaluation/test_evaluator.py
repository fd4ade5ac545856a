"""The evaluator with a classifier that uses one bin, scores that equal the excerpt, and results worked out by hand."""

from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from torch import nn
from torch.utils.data import DataLoader

from svdx.corpora.track import Track
from svdx.errors import ConfigError, ScoreError
from svdx.evaluation import evaluator as module
from svdx.evaluation import metrics
from svdx.evaluation.evaluator import Evaluator
from svdx.explanation import Area, Explainer, FeatureInversion
from svdx.explanation.methods.controls import Control, Loudest, make_controls
from svdx.models import SVDNet, UpConv
from svdx.models.layers import features_of
from svdx.models.map_inverter import MapInverter
from tests.support.processes import on_two

# The classifier uses the second bin of the first frame.
LOGMEL = torch.tensor(
    [
        [[0.0, 0.9], [2.0, 1.0]],  # sings while the second bin is kept: salience 0.45
        [[0.0, 0.7], [0.1, 1.0]],  # sings; salience 0.7
        [[0.0, 0.2], [0.4, 1.0]],  # does not sing; salience 0.2
        [[0.0, 0.8], [0.5, 0.8]],  # sings; salience 1, the maximum
        [[0.0, 0.5], [0.5, 5.0]],  # on the decision threshold: does not sing
    ]
)
VOCAL = torch.tensor([True, False, False, True, False])
TRACK = torch.tensor([0, 0, 1, 1, 1])
THRESHOLDS = [0.0, 0.3, 0.6, 1.0, 1.1]
FLIPS = [0, 0, 1, 2, 3]  # all of excerpts predicted as vocal, of which there are three
# kept bins of the five excerpts at each threshold, of 4 each
#   0.0: 4 4 4 4 4 · 0.3: 3 2 2 3 1 · 0.6: 1 2 1 3 1 · 1.0: 1 1 1 2 1 · 1.1: none
AREAS = [100.0, 55.0, 40.0, 30.0, 0.0]


class OneBin(nn.Module):
    """p = the second bin of the first frame. Counts predictions."""

    def __init__(self):
        super().__init__()
        self.register_buffer("threshold", torch.tensor(0.5))
        self.n_predictions = 0

    def standardise(self, logmel):
        return logmel

    def forward(self, excerpts):
        self.n_predictions += len(excerpts)
        return excerpts[:, 0, 1]


class Itself(Explainer):
    name = "itself"

    def score(self, excerpts):
        return excerpts


class Numbers(list):
    tracks = tuple(Track(name, Path(f"{name}.wav"), ()) for name in "ab")

    def __init__(self, n):
        super().__init__(range(n))
        self.track_of, self.start_of = TRACK.tolist(), [10 * number for number in range(n)]


class Batches(pl.LightningDataModule):
    """The excerpts of the process `rank` of two, or all of them."""

    def __init__(self, batch_size, n=5, rank=None, logmel=LOGMEL):
        super().__init__()
        self.batch_size, self.test_set, self.logmel = batch_size, Numbers(n), logmel
        self.mine = torch.arange(n) if rank is None else torch.arange(rank, n, 2)

    def test_dataloader(self):
        batches = [
            {"logmel": self.logmel[i], "vocal": VOCAL[i], "track": TRACK[i], "number": i}
            for i in self.mine.split(self.batch_size)
        ]
        return DataLoader(batches, batch_size=None)


def run(explainer, thresholds=THRESHOLDS, data=None, **options):
    evaluator = Evaluator(explainer, thresholds, **options)
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    scores = trainer.test(evaluator, datamodule=data or Batches(2), verbose=False)[0]
    return evaluator, scores


def evaluate(explainer, thresholds=THRESHOLDS, batch_size=2, n=5, **options):
    evaluator, scores = run(explainer, thresholds, Batches(batch_size, n), **options)
    return evaluator.rows("toy", "test"), scores


@pytest.fixture(scope="module")
def rows():
    return evaluate(Itself(OneBin()))[0]


def test_a_curve_over_areas_by_hand():
    """In the three vocal excerpts, the bin that the classifier uses ranks first of four in one, is among two equally
    good ones, and is among the best three in all."""
    areas = [Area(0), Area(0.25), Area(0.75), Area(1)]
    found = evaluate(Itself(OneBin()), areas, controls=[Reversed(OneBin())])[0]
    explained, controls = found[:4], found[4:]
    assert [row["asked_area_percent"] for row in explained] == [0, 25, 75, 100]
    assert [row["relative_area_percent"] for row in explained] == pytest.approx([0, 25, 75, 100])
    assert [row["flips"] for row in explained] == [3, 2, 0, 0]
    third = (0.45 + 0.1 + 0.2 + 0.625 + 0.1) / 5  # salience of each excerpt's third bin
    assert [row["threshold"] for row in explained] == pytest.approx([1.1, 1, third, 0])
    assert [row["asked_area_percent"] for row in controls] == [0, 25, 75, 100]
    assert [row["relative_area_percent"] for row in controls] == pytest.approx([0, 25, 75, 100])


def test_the_requested_area_is_in_agreement_rows_but_not_in_a_curve_over_thresholds(rows):
    evaluator, _ = run(Itself(OneBin()), [Area(0.5)], agreement=True)
    assert [row["asked_area_percent"] for row in evaluator.agreement_rows()] == [50]
    assert not any("asked_area_percent" in row for row in rows)


def test_the_curve_by_hand(rows):
    assert [row["threshold"] for row in rows] == THRESHOLDS
    assert [row["flips"] for row in rows] == FLIPS
    assert [row["flips_vocal"] for row in rows] == FLIPS
    assert {(row["n"], row["n_vocal"], row["n_nonvocal"], row["flips_nonvocal"]) for row in rows} == {(5, 3, 2, 0)}
    assert [row["explanation_loss_percent"] for row in rows] == pytest.approx([0, 0, 20, 40, 60])
    assert [row["balanced_loss_percent"] for row in rows] == pytest.approx([0, 0, 50 / 3, 100 / 3, 50])
    assert [row["relative_area_percent"] for row in rows] == pytest.approx(AREAS)


def test_the_interval_resamples_the_tracks_of_all_batches(monkeypatch):
    """At 1.0 track 0 loses 2 of 2 labels and track 1 none of 3; at 1.1 it is 2 of 2 and 1 of 3."""
    monkeypatch.setattr(metrics, "FEWEST", 2)
    rows = evaluate(Itself(OneBin()))[0]
    assert (rows[3]["ci_low"], rows[3]["ci_high"]) == (0, 100)
    assert (rows[4]["ci_low"], rows[4]["ci_high"]) == (pytest.approx(100 / 3), 100)


def test_a_score_that_is_not_finite_is_refused_with_its_track_and_the_explainer():
    for value in (float("nan"), float("inf"), -float("inf")):
        logmel = LOGMEL.clone()
        logmel[3, 1, 0] = value
        with pytest.raises(ScoreError) as error:
            run(Itself(OneBin()), data=Batches(2, logmel=logmel))
        assert str(error.value).startswith("b.wav, excerpt from frame 30: explainer=itself gave a score that is NaN")
        assert error.value.number == 3 and "\n" not in str(error.value)


def test_rows_name_explainer_data_split_keep_and_fill(rows):
    for row in rows:
        assert [row[key] for key in ("explainer", "data", "split", "keep", "fill")] == [
            *("itself", "toy", "test", "salient", "mean")
        ]


@pytest.mark.parametrize("batch_size", [1, 3, 4, 5])
def test_the_curve_does_not_depend_on_the_batches(rows, batch_size):
    assert evaluate(Itself(OneBin()), batch_size=batch_size)[0] == rows


@pytest.mark.parametrize("order", [[4, 3, 2, 1, 0], [2, 0, 4, 1, 3]])
def test_the_curve_does_not_depend_on_the_order_of_the_excerpts(rows, order):
    data = Batches(2)
    data.mine = torch.tensor(order)
    evaluator, _ = run(Itself(OneBin()), data=data)
    for found, expected in zip(evaluator.rows("toy", "test"), rows, strict=True):
        assert found == pytest.approx(expected, abs=1e-5, nan_ok=True)


def results_of_svdnet(classifier, excerpts, order, batch_size, threads):
    """Every number of an evaluation of SVDNet and an inverter, with a control."""
    torch.manual_seed(2)
    explainer = FeatureInversion(classifier, UpConv(8).eval())
    control = make_controls(["random"], classifier, 0)
    data = of_svdnet(excerpts, classifier)
    data.mine, data.batch_size = torch.tensor(order), batch_size
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        evaluator, scores = run(explainer, [0.3, 0.6], data=data, controls=control)
    finally:
        torch.set_num_threads(before)
    return [scores, *evaluator.rows("toy", "test")]


def test_no_number_depends_on_batches_order_or_threads(classifier):
    excerpts = torch.randn(5, 115, 80)
    classifier.threshold.copy_(classifier(excerpts).sort().values[1:3].mean())
    expected = results_of_svdnet(classifier, excerpts, [0, 1, 2, 3, 4], 5, 1)
    found = results_of_svdnet(classifier, excerpts, [3, 0, 4, 2, 1], 2, 2)
    assert found == [pytest.approx(numbers, abs=1e-5, nan_ok=True) for numbers in expected]


@pytest.mark.parametrize("keep", ["salient", "complement"])
@pytest.mark.parametrize("fill", ["mean", "zero"])
def test_the_curve_is_what_one_call_of_the_explainer_for_each_threshold_gives(keep, fill):
    classifier = OneBin()
    classifier.register_buffer("mean", torch.tensor([0.0, -0.7]))  # fill=zero: 0.7 stands in a masked bin, singing
    classifier.register_buffer("std", torch.ones(2))
    for row in evaluate(Itself(classifier, keep=keep, fill=fill))[0]:
        explanation = Itself(classifier, row["threshold"], keep, fill)(LOGMEL)
        assert row["flips"] == explanation.flipped.sum()
        assert row["flips_vocal"] == (explanation.flipped & explanation.vocal).sum()
        assert row["relative_area_percent"] == pytest.approx(100 * float(explanation.area.mean()))


def test_one_threshold_gives_the_curves_row_at_it(rows):
    for threshold, row in zip(THRESHOLDS, rows):
        assert evaluate(Itself(OneBin()), [threshold])[0] == [row]


def test_thresholds_in_any_order_give_the_same_rows(rows):
    backwards = evaluate(Itself(OneBin()), THRESHOLDS[::-1])[0]
    assert backwards[::-1] == rows


@pytest.mark.parametrize(
    "thresholds, masks",
    [
        ([0.0], 0),  # keeps all bins: no new mask
        ([0.0, 0.0], 0),
        ([0.6], 5),
        ([0.6, 0.61, 0.6], 5),
        ([0.3, 0.6], 5 + 2),  # at 0.6 the first and the third excerpt have a new mask
        (THRESHOLDS, 5 + 2 + 2),  # at 1.0 the second and the fourth, at 1.1 the empty mask
        ([1.1], 0),
    ],
)
def test_the_classifier_predicts_new_masks_only(thresholds, masks):
    classifier = OneBin()
    evaluate(Itself(classifier), thresholds)
    empty = 1  # the empty mask is the same for all excerpts
    assert classifier.n_predictions == 5 + masks + empty


def test_the_empty_mask_is_predicted_per_excerpt_if_the_fill_depends_on_it():
    classifier = OneBin()
    evaluate(Itself(classifier, fill="excerpt-mean"), [0.6, 1.1], controls=[Reversed(OneBin())], agreement=True)
    excerpts, empty, explained, control, removed = 5, 5, 5, 5, 5  # none for 1.1
    curves = 2 * 3 * 5  # of 4 bins: one, two or three are left
    assert classifier.n_predictions == excerpts + empty + explained + control + removed + curves


def test_scores_of_the_classifier_by_hand():
    """The classifier predicts singing for 0, 1 and 3 of five; 0 and 3 are vocal and have the greatest p, .9 and .8."""
    _, scores = evaluate(Itself(OneBin()))
    by_hand = {"classifier/auroc": 1, "classifier/accuracy": 0.8, "classifier/called_singing": 0.6}
    empty = {"empty_mask/explanation_loss_percent": 60, "empty_mask/balanced_loss_percent": 50}
    assert scores == pytest.approx(by_hand | empty)


def test_the_balanced_loss_is_nan_where_the_classifier_gives_one_label_only():
    rows, _ = evaluate(Itself(OneBin()), n=2)
    assert all(row["n_nonvocal"] == 0 and row["balanced_loss_percent"] != row["balanced_loss_percent"] for row in rows)


def test_log_mels_are_standardised_by_the_classifier_before_anything_else():
    class Shifted(OneBin):
        def standardise(self, logmel):
            return logmel - 1

    shifted = evaluate(Itself(Shifted()))[0]
    assert {row["n_vocal"] for row in shifted} == {0}
    assert [row["relative_area_percent"] for row in shifted] == pytest.approx(AREAS)


def test_networks_are_evaluated_in_eval_mode_and_left_unchanged():
    class Network(OneBin):
        def forward(self, excerpts):
            assert not self.training and not torch.is_grad_enabled()
            return super().forward(excerpts)

    network = Network().eval()
    evaluate(Itself(network))
    assert not network.training


def test_networks_follow_the_evaluators_device():
    network = SVDNet()
    evaluator = Evaluator(Itself(network), [0.5])
    evaluator.to(torch.float64)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float64}


@pytest.mark.parametrize("thresholds", [[0.5, 1.2], [-0.1]])
def test_thresholds_out_of_range_are_refused_at_construction(thresholds):
    with pytest.raises(ConfigError, match="outside"):
        Evaluator(Itself(OneBin()), thresholds)


class Reversed(Control):
    """Keeps the bins of least score."""

    name = "reversed"

    def score(self, excerpts):
        return -excerpts


def test_a_control_is_measured_at_the_area_of_the_explanation():
    rows, _ = evaluate(Itself(OneBin()), controls=[Reversed(OneBin())])
    main, control = rows[: len(THRESHOLDS)], rows[len(THRESHOLDS) :]
    assert main == evaluate(Itself(OneBin()))[0]
    assert [row["explainer"] for row in control] == ["reversed"] * len(THRESHOLDS)
    assert [row["relative_area_percent"] for row in control] == pytest.approx(AREAS)
    # the second bin is the second lowest of the first excerpt and is kept with two; with one, only the lowest
    assert [row["flips"] for row in control] == [0, flips_of_the_lowest(0.3), flips_of_the_lowest(0.6), 3, 3]


def flips_of_the_lowest(threshold):
    """Counted bin by bin: how many of the three singing excerpts lose their second bin."""
    flips = 0
    for excerpt in LOGMEL[[0, 1, 3]]:
        values = excerpt.flatten().tolist()
        low, high = min(values), max(values)
        kept = sum((value - low) / (high - low) >= threshold for value in values)
        lowest = sorted(range(4), key=lambda i: values[i])[:kept]
        flips += 1 not in lowest
    return flips


def test_a_control_with_the_explanations_masks_needs_no_predictions():
    classifier, twice = OneBin(), OneBin()
    evaluate(Itself(classifier))
    rows, _ = evaluate(Itself(twice), controls=[Loudest(OneBin())])
    assert twice.n_predictions == classifier.n_predictions  # scores equal the excerpt, as loudness does
    assert [row["flips"] for row in rows] == FLIPS * 2


def test_agreement_by_hand():
    """At 0.6 the first excerpt goes from 0.9 to 0 and the second stays at 0.7; the third, called non-vocal with 0.8,
    rises to 1; the fourth stays at 0.8; the fifth, at 0.5, rises to 1."""
    evaluator, _ = run(Itself(OneBin()), [0.6], agreement=True)
    (row,) = evaluator.agreement_rows()
    assert row["threshold"] == 0.6
    assert row["average_drop_percent"] == pytest.approx(100 / 5)
    assert row["average_increase_percent"] == pytest.approx(2 * 100 / 5)
    assert row["average_gain_percent"] == pytest.approx(2 * 100 / 5)
    # without the explanation: 0.9 is still there, 0.7 and 0.8 go to 0, 0.2 is still there, 0.5 is still there
    assert row["faithfulness"] == pytest.approx((0 + 0.7 + 0 + 0.8 + 0) / 5)
    assert 0 < row["insertion_auc"] < 1


def test_insertion_and_deletion_agree_with_bins_moved_one_by_one():
    evaluator, _ = run(Itself(OneBin()), [0.6], agreement=True)
    areas = {"insertion_auc": [], "deletion_auc": []}
    for excerpt in LOGMEL:
        values, steps = excerpt.flatten(), 20
        order = values.argsort(descending=True, stable=True)
        vocal = values[1] > 0.5
        for name in areas:
            curve = []
            for step in range(steps + 1):
                moved = 1 in order[: round(4 * step / steps)].tolist()
                p = values[1].item() if moved == (name == "insertion_auc") else 0.0
                curve.append(p if vocal else 1 - p)
            areas[name].append(sum((a + b) / 2 for a, b in pairwise(curve)) / steps)
    (row,) = evaluator.agreement_rows()
    for name, found in areas.items():
        assert row[name] == pytest.approx(sum(found) / 5)


def of_svdnet(excerpts, classifier, rank=None):
    """Batches of standardised excerpts of SVDNet's size."""
    return Batches(2, rank=rank, logmel=excerpts * classifier.std + classifier.mean)


@pytest.mark.parametrize("network", [UpConv(8), MapInverter("mp6", 8)], ids=["fc8", "mp6"])
def test_the_reconstruction_error_is_that_of_the_inverted_features(network, classifier):
    inverter, features = network.eval(), partial(features_of, classifier, network.layer)
    excerpts = torch.randn(5, 115, 80)
    _, scores = run(FeatureInversion(classifier, inverter), [0.5], data=of_svdnet(excerpts, classifier))
    pictures = inverter(features(excerpts))
    for name, found, original in (
        ("input", pictures, excerpts),
        ("features", features(pictures), features(excerpts)),
    ):
        missed = (found - original).flatten(1).norm(dim=1).mean()
        apart = torch.pdist(original.flatten(1)).mean()
        assert scores[f"reconstruction_error/{name}"] == pytest.approx((missed / apart).item(), rel=1e-3)


def test_fewer_excerpts_are_compared_if_features_are_large(classifier, monkeypatch):
    monkeypatch.setattr(module, "MOST_KEPT", 3 * MapInverter("mp6").n_features)
    explainer, excerpts = FeatureInversion(classifier, MapInverter("mp6", 8).eval()), torch.randn(5, 115, 80)
    evaluator, _ = run(explainer, [0.5], data=of_svdnet(excerpts, classifier))
    assert {int(error.n) for error in evaluator.reconstruction.values()} == {3}  # the first, the third, the fifth


@pytest.mark.parametrize("fill", ["mean", "excerpt-mean"])
def test_two_processes_count_what_one_counts(fill, tmp_path):
    def results(rank=None):
        options = dict(controls=[Reversed(OneBin())], agreement=True)
        evaluator, scores = run(Itself(OneBin(), fill=fill), data=Batches(2, rank=rank), **options)
        return [scores, *evaluator.rows("toy", "test"), *evaluator.agreement_rows()]

    alone = [pytest.approx(numbers, nan_ok=True) for numbers in results()]
    assert on_two(results, tmp_path) == [alone, alone]


@pytest.mark.parametrize("most", [1000, 3], ids=["all", "those of one process"])
def test_two_processes_compare_the_excerpts_that_one_compares(most, classifier, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_COMPARED", most)
    explainer, excerpts = FeatureInversion(classifier, UpConv(8).eval()), torch.randn(5, 115, 80)

    def errors(rank=None):
        _, scores = run(explainer, [1.1], data=of_svdnet(excerpts, classifier, rank))
        return {name: value for name, value in scores.items() if name.startswith("reconstruction")}

    alone = errors()
    assert len(alone) == 2
    assert on_two(errors, tmp_path) == [pytest.approx(alone)] * 2
