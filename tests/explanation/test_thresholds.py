"""Where the salience is cut: an area to the bin, Otsu's cut by trying all, and what the features of a toy lose."""

import base64
import json
import re

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from svdx.batch.request import Request
from svdx.corpora.track import Track
from svdx.errors import ConfigError
from svdx.evaluation.curve import group_curves, read_curve
from svdx.explanation import Area, Explainer, FeatureInversion, Fixed, Otsu, ReconstructionError
from svdx.explanation.audio_explainer import AudioExplainer
from svdx.explanation.masks import normalise, threshold_mask
from svdx.explanation.methods.controls import RandomBlocks
from svdx.explanation.methods.inversion import GatedInversion
from svdx.explanation.tracks import explain_track
from svdx.models import UpConv
from svdx.report.facts import percent
from tests.support.documents import document_excerpt, document_track
from tests.support.toys import BANDS, FRAMES, RECTANGLE, Planted, PlantedInverter, planted_excerpts

EXCERPTS, _ = planted_excerpts()
CHOICES = [Fixed(0.6), Area(0.13), Otsu(), ReconstructionError()]


class Itself(Explainer):
    """The picture of an excerpt is the excerpt."""

    name = "itself"

    def score(self, excerpts):
        return excerpts


class Blurred(nn.Module):
    """Reads back a picture that is wrong by 0.5 in every bin of the rectangle, in turn upwards and downwards."""

    def forward(self, features):
        wrong = torch.where(torch.arange(features.shape[1]) % 2 == 0, 0.5, -0.5)
        return PlantedInverter()(features + wrong)


def inverting(choice, inverter=None, **options):
    return FeatureInversion(Planted(), inverter or PlantedInverter(), threshold=choice, **options)


def test_a_number_is_fixed_and_nothing_changes():
    number, fixed = Itself(Planted(), threshold=0.6)(EXCERPTS), Itself(Planted(), threshold=Fixed(0.6))(EXCERPTS)
    assert torch.equal(number.mask, threshold_mask(number.salience, 0.6))
    for name, array in number.arrays().items():
        assert np.array_equal(array, fixed.arrays()[name]), name
    assert number.threshold.tolist() == pytest.approx([0.6] * 6)


@pytest.mark.parametrize("area", [0.0, 0.1, 0.333, 0.5, 1.0])
def test_an_area_is_kept_to_the_bin(area):
    heard = Itself(Planted(), threshold=Area(area))(EXCERPTS)
    assert heard.mask.flatten(1).sum(1).tolist() == [round(area * FRAMES * BANDS)] * 6
    for salience, mask, threshold in zip(heard.salience, heard.mask, heard.threshold):
        kept = salience[mask]
        assert threshold == (kept.min() if len(kept) else pytest.approx(1.1))
        assert not mask.any() or salience[~mask].numel() == 0 or kept.min() >= salience[~mask].max()


def test_of_equally_salient_bins_an_area_has_the_first():
    excerpt = torch.tensor([[[0.0, 1.0, 2.0, 1.0, 1.0, 0.0, 0.0, 0.0]]])
    heard = Itself(nn.Flatten(0), threshold=Area(3 / 8)).cut(excerpt, normalise(excerpt), Area(3 / 8))
    assert heard[0].int().tolist() == [[[0, 1, 1, 1, 0, 0, 0, 0]]] and heard[1].tolist() == [0.5]


def test_no_bin_of_a_constant_picture_is_best_unless_all_are_asked_for():
    flat, sloping = torch.zeros(1, 2, 4), torch.arange(8.0).view(1, 2, 4)
    both = normalise(torch.cat([flat, sloping]))
    salient, threshold = Area(0.25)(None, None, both)
    assert salient.flatten(1).sum(1).tolist() == [0, 2] and threshold.tolist() == pytest.approx([1.1, 6 / 7])
    assert Area(1.0)(None, None, both).salient.all()
    assert Area(0.25).words(1.1) == "best 25 % of the area, here no bin"


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.name)
def test_complement_keeps_the_other_bins(choice):
    salient, complement = (inverting(choice, Blurred(), keep=keep)(EXCERPTS) for keep in ("salient", "complement"))
    assert torch.equal(salient.mask, ~complement.mask) and torch.equal(salient.threshold, complement.threshold)
    assert salient.mask.any() and complement.mask.any()


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: choice.name)
def test_an_excerpt_is_cut_alike_in_any_batch(choice):
    explainer = inverting(choice, Blurred())
    together, alone = explainer(EXCERPTS), explainer(EXCERPTS[2:3])
    assert torch.equal(together.mask[2:3], alone.mask) and torch.equal(together.threshold[2:3], alone.threshold)


def between_classes(values, threshold):
    above, below = values[values >= threshold], values[values < threshold]
    return len(above) * len(below) * (above.mean() - below.mean()) ** 2 / len(values) ** 2


def test_otsus_cut_is_the_best_of_all():
    salience = normalise(torch.rand(4, 6, 5, generator=torch.Generator().manual_seed(2)).round(decimals=1) ** 2)
    salient, threshold = Otsu()(None, None, salience)
    for values, found, kept in zip(salience.double().flatten(1).numpy(), threshold.tolist(), salient):
        best = max(np.unique(values)[1:], key=lambda cut: between_classes(values, cut))
        assert found == pytest.approx(best)
        assert kept.sum() == (values >= best).sum()


def test_otsu_cuts_between_two_gaussians():
    generator = torch.Generator().manual_seed(0)
    low, high = (0.05 * torch.randn(500, generator=generator) + middle for middle in (0.25, 0.75))
    low, high = low.clamp(0, 1), high.clamp(0, 1)
    salient, threshold = Otsu()(None, None, torch.cat([low, high]).reshape(1, 100, 10))
    assert low.max() < threshold.item() <= high.min() and salient.flatten().tolist() == [False] * 500 + [True] * 500


def test_otsu_finds_nothing_salient_in_a_constant_picture():
    salient, threshold = Otsu()(None, None, torch.zeros(1, 3, 4))
    assert not salient.any() and threshold.item() == pytest.approx(1.1)


def test_an_explanation_that_may_lose_nothing_keeps_the_rectangle():
    """Only thresholds that keep all of it do: of the grid the greatest that its least salience reaches."""
    heard = inverting(ReconstructionError(0.0, 0.1))(EXCERPTS)
    assert heard.mask[:, RECTANGLE].all()
    for salience, mask in zip(heard.salience, heard.mask):
        least = salience[RECTANGLE].min().item()
        greatest = max(number for number in range(11) if number == 0 or number * 0.1 <= least) * 0.1
        assert torch.equal(mask, salience >= greatest)


@pytest.mark.parametrize("fill", ["mean", "zero", "excerpt-mean"])
@pytest.mark.parametrize("error", [0.3, 0.8])
def test_the_explanation_loses_at_most_its_share_and_would_lose_more_at_the_next_threshold(fill, error):
    explainer = inverting(ReconstructionError(error, 0.05), fill=fill)
    heard, features = explainer(EXCERPTS), Planted().features

    def lost(excerpts):
        return (features(excerpts) - features(EXCERPTS)).norm(dim=1)

    allowed = error * lost(explainer.at(heard, 1.1).masked)
    assert (lost(heard.masked) <= allowed).all() and (lost(heard.masked) > 0).any()
    for higher in torch.arange(1, 21) * 0.05:
        more = explainer.at(heard, float(higher))
        smaller = more.mask.flatten(1).sum(1) < heard.mask.flatten(1).sum(1)
        assert (lost(more.masked)[smaller] > allowed[smaller]).all()


def test_an_error_of_1_keeps_as_little_as_possible():
    heard = inverting(ReconstructionError(1.0, 0.5))(EXCERPTS)
    assert heard.threshold.tolist() == [1.0] * 6


def test_a_rule_that_does_not_apply_to_tracks_is_refused_in_one_line():
    with pytest.raises(ConfigError, match=r"^threshold=reconstruction_error: does not support whole tracks"):
        explain_track(inverting(ReconstructionError()), torch.zeros(30, BANDS), FRAMES, 3)
    with pytest.raises(ConfigError, match=r"^Area: area=1.5: expected 0 to 1"):
        Area(1.5)
    with pytest.raises(ConfigError, match=r"^ReconstructionError: step=0: expected more than 0"):
        ReconstructionError(step=0)
    with pytest.raises(ConfigError, match=r"^ReconstructionError: error=2: expected 0 to 1"):
        ReconstructionError(2)
    with pytest.raises(ConfigError, match=r"^Fixed: threshold=1.2: expected 0 to 1.1"):
        Fixed(1.2)


class Heard(Planted):
    """The toy that also hears the excerpts of a track."""

    def features_at(self, track, starts):
        return self.features(torch.stack([track[start : start + FRAMES] for start in starts]))


@pytest.mark.parametrize("keep", ["salient", "complement"])
def test_a_tracks_area_is_that_of_the_track(keep):
    track = torch.randn(61, BANDS, generator=torch.Generator().manual_seed(3))
    explainer = Itself(Heard(), threshold=Area(0.1), keep=keep)
    heard = explain_track(explainer, track, FRAMES, 10)
    kept = round(0.1 * 61 * BANDS)
    assert heard.mask.sum() == (kept if keep == "salient" else 61 * BANDS - kept)
    salient = heard.mask if keep == "salient" else ~heard.mask
    assert heard.threshold == heard.salience[salient].min() >= heard.salience[~salient].max()


def test_a_tracks_otsu_is_that_of_its_merged_map():
    track = torch.randn(40, BANDS, generator=torch.Generator().manual_seed(4))
    heard = explain_track(Itself(Heard(), threshold=Otsu()), track, FRAMES, 8)
    _, threshold = Otsu()(None, None, heard.salience[None])
    assert heard.threshold == threshold.item() and torch.equal(heard.mask, heard.salience >= heard.threshold)


def explainer_of(frontend, classifier, kind, choice, keep="salient"):
    networks = (classifier, UpConv(8).eval()) if kind is FeatureInversion else (classifier,)
    return AudioExplainer(frontend, kind(*networks, threshold=choice, keep=keep))


def noise_track(directory, seconds):
    samples = 0.1 * np.random.default_rng(0).standard_normal(round(seconds * 22050))
    soundfile.write(directory / "noise.wav", samples, 22050)
    return Track("noise", directory / "noise.wav", ())


def opening(directory):
    """Of a page: the mask at which it opens, [frames, bands], its threshold and the row of its table there."""
    text = (directory / "report.html").read_text()
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text)[1])
    levels = np.frombuffer(base64.b64decode(data["levels"]), np.uint8).reshape(data["frames"], data["bands"])
    (row,) = [row for row in data["curve"] if row["step"] == data["start"]]
    salient = levels <= data["start"] if data["grows"] else levels >= data["start"]
    return salient != data["complement"], data["steps"][data["start"]], row


@pytest.mark.parametrize("keep", ["salient", "complement"])
@pytest.mark.parametrize(
    "kind, choice",
    [
        (FeatureInversion, Area(0.1)),
        (FeatureInversion, Otsu()),
        (FeatureInversion, ReconstructionError(0.5, 0.1)),
        (FeatureInversion, Fixed(0.35)),
        (RandomBlocks, Area(0.1)),  # whole blocks are equally salient, and the last is kept in part
        (RandomBlocks, Area(0.99)),  # even of the least salient ones some are kept
        (RandomBlocks, Area(0.0)),
    ],
)
def test_an_excerpts_page_opens_at_the_mask_that_was_chosen(tmp_path, frontend, classifier, kind, choice, keep):
    explainer = explainer_of(frontend, classifier, kind, choice, keep)
    facts = document_excerpt(explainer, noise_track(tmp_path, 3), 1.0, [0.0, 0.5, 1.1], tmp_path, sounds=False)
    mask, threshold, row = opening(tmp_path)
    arrays = np.load(tmp_path / "explanation.npz")
    assert np.array_equal(mask, arrays["mask"][0])
    assert row["beside"] == facts["area kept"] == percent(arrays["mask"].sum(), arrays["mask"].size)
    assert threshold == pytest.approx(float(arrays["threshold"][0]), abs=1e-4)
    page = (tmp_path / "report.html").read_text()
    assert f"<td>{kind.name}</td>" in page and choice.words(float(arrays["threshold"][0])) in facts["mask"]


@pytest.mark.parametrize("kind, choice", [(FeatureInversion, Otsu()), (RandomBlocks, Area(0.1))])
def test_a_tracks_page_opens_at_the_mask_that_was_chosen(tmp_path, frontend, classifier, kind, choice):
    explainer = explainer_of(frontend, classifier, kind, choice)
    facts = document_track(explainer, noise_track(tmp_path, 3), None, [0.0, 0.5], tmp_path, sounds=False)
    mask, _, row = opening(tmp_path)
    arrays = np.load(tmp_path / "explanation.npz")
    assert np.array_equal(mask, arrays["mask"]) and row["beside"] == facts["area kept"]
    assert facts["explainer"] == kind.name


AREAS = [Area(area) for area in (0.01, 0.1, 0.5)]


def gated(frontend, classifier, **options):
    return AudioExplainer(frontend, GatedInversion(classifier, UpConv(8).eval(), **options))


def heads(directory):
    return re.findall(r'<th scope="col">(.*?)</th>', (directory / "report.html").read_text())


@pytest.mark.parametrize("keep", ["salient", "complement"])
@pytest.mark.parametrize("document", [document_excerpt, document_track])
def test_a_page_of_another_explainer_has_its_best_tenth_and_goes_over_areas(
    tmp_path, frontend, classifier, document, keep
):
    explainer = gated(frontend, classifier, keep=keep)
    facts = document(explainer, noise_track(tmp_path, 3), 1.0, AREAS, tmp_path, sounds=False)
    mask, position, row = opening(tmp_path)
    arrays = np.load(tmp_path / "explanation.npz")
    found = arrays["mask"].reshape(mask.shape)
    kept = round(0.1 * mask.size)
    assert np.array_equal(mask, found) and found.sum() == (kept if keep == "salient" else mask.size - kept)
    assert (position, row["position"]) == (10, "10 %") and float(row["beside"]) == pytest.approx(
        float(arrays["threshold"].squeeze()), rel=1e-3
    )
    assert facts["mask"].startswith("best 10 % of the area, here salience ") and f"keep={keep}" in facts["mask"]
    assert facts["area kept"] == ("10.0 %" if keep == "salient" else "90.0 %")
    ours = "area" if keep == "salient" else "area removed"
    assert heads(tmp_path) == [ours, "threshold", "label", "as sound"]
    page = (tmp_path / "report.html").read_text()
    assert "best 10 % of the area" in page and "At each area" in page


@pytest.mark.parametrize("cut", [{"threshold": Otsu()}, {"threshold": 0.35}, {"area": 0.0}])
@pytest.mark.parametrize("keep", ["salient", "complement"])
def test_a_page_over_areas_opens_at_any_cut(tmp_path, frontend, classifier, cut, keep):
    explainer = gated(frontend, classifier, keep=keep, **cut)
    facts = document_excerpt(explainer, noise_track(tmp_path, 3), 1.0, AREAS, tmp_path, sounds=False)
    mask, position, row = opening(tmp_path)
    found = np.load(tmp_path / "explanation.npz")["mask"][0]
    assert np.array_equal(mask, found) and facts["area kept"] == percent(found.sum(), found.size)
    assert position == pytest.approx(100 * (found if keep == "salient" else ~found).mean(), rel=1e-3)
    assert row["beside"] == "—" if cut == {"area": 0.0} else float(row["beside"]) > 0


def test_a_page_without_rows_goes_over_what_the_explainer_is_cut_at(tmp_path, frontend, classifier):
    for explainer, name in (
        (gated(frontend, classifier), "area"),
        (gated(frontend, classifier, threshold=Otsu()), "area"),
        (gated(frontend, classifier, threshold=0.3), "threshold"),
        (explainer_of(frontend, classifier, FeatureInversion, None), "threshold"),
        (explainer_of(frontend, classifier, FeatureInversion, Area(0.2)), "threshold"),
    ):
        document_excerpt(explainer, noise_track(tmp_path, 3), 1.0, [], tmp_path, sounds=False)
        assert heads(tmp_path)[0] == name


def test_the_threshold_rule_is_part_of_the_key(tmp_path, frontend, classifier):
    track = noise_track(tmp_path, 3)
    asked = [
        Request(explainer_of(frontend, classifier, RandomBlocks, choice), 1.0, None, [0.5]).key(track)
        for choice in (0.5, Area(0.1), Area(0.2), Otsu())
    ]
    assert [question["explainer"]["threshold"] for question in json.loads(json.dumps(asked))] == [
        0.5,
        {"choice": "area", "area": 0.1},
        {"choice": "area", "area": 0.2},
        {"choice": "otsu"},
    ]
    areas = Request(explainer_of(frontend, classifier, RandomBlocks, None), 1.0, None, [Area(0.2)]).key(track)
    assert json.loads(json.dumps(areas))["thresholds"] == [{"choice": "area", "area": 0.2}]
    assert areas["explainer"]["threshold"] == {"choice": "area", "area": 0.1}


@pytest.mark.slow
def test_areas_are_evaluated_one_after_the_other_and_gathered_into_one_curve(shell, untrained):
    words = ("-m", *untrained, "controls=[random]", "threshold=area", "explainer.area=0.2,0.05")
    directory, _ = shell("areas", "evaluate.py", *words)
    rows = read_curve(directory / "curve.csv")
    curves = group_curves(rows)
    assert list(curves) == ["inversion", "random"] and "run" not in rows[0]
    assert [row["asked_area_percent"] for row in curves["inversion"]] == [5, 20]
    areas = [row["relative_area_percent"] for row in curves["inversion"]]
    assert sorted(areas) == pytest.approx([5, 20], abs=1e-4)
    large, small = sorted(curves["inversion"], key=lambda row: -row["relative_area_percent"])
    assert 0 < large["threshold"] < small["threshold"] <= 1
    (picture, *_) = (directory / "0" / "explanations").glob("*.png")
    assert picture.is_file() and (directory / "curve.png").is_file()
