"""The explainers that are written here, on a classifier whose answer is known: it hears a rectangle."""

import copy
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import nn
from toys import BANDS, COLUMNS, FRAMES, RECTANGLE, ROWS, Planted, PlantedInverter, planted_excerpts

from svdx.errors import ConfigError
from svdx.explain.borrowed import ClassMeanMask, OtherTrackMask
from svdx.explain.contrast import ContrastiveInversion
from svdx.explain.extremal import ExtremalMask, area_cost, kernel, paint
from svdx.explain.gated import GatedInversion, smooth
from svdx.explain.masks import largest_mask, normalise
from svdx.explain.optimised import OptimisedInversion, variation
from svdx.models import UpConv
from svdx.settings import build, check, rehearse

CONF = Path(__file__).parent.parent / "conf"
EXCERPTS, VOCAL = planted_excerpts()
EXAMPLES, EXAMPLES_VOCAL = planted_excerpts(9, seed=5)
FREE = dict(bound=1e9, slope=1e9)  # as good as no regulariser


def optimised(classifier, _, __, **options):
    return OptimisedInversion(classifier, **{"steps": 60, **options})


def extremal(classifier, _, __, **options):
    return ExtremalMask(classifier, **{"areas": [0.06, 0.125, 0.25], "stride": 2, **options})


def contrast(classifier, inverter, _, **options):
    return ContrastiveInversion(classifier, inverter, **options)


def gated(classifier, inverter, _, **options):
    return GatedInversion(classifier, inverter, **{"frames": 1.0, "bands": 1.0, **options})


MAKERS = dict(
    inversion_optimised=optimised,
    extremal=extremal,
    contrast=contrast,
    gated_inversion=gated,
    class_mean_mask=ClassMeanMask,
    other_track_mask=OtherTrackMask,
)


def planted(name, **options):
    return MAKERS[name](Planted(), PlantedInverter(), EXAMPLES, **options)


def overlap(mask):
    """Share of the rectangle that a mask keeps, [B]."""
    return mask[:, RECTANGLE].float().mean(1)


def best(picture):
    """The 48 bins of greatest score; the rectangle has as many."""
    return largest_mask(picture, torch.full((len(picture),), int(RECTANGLE.sum())))


@pytest.mark.parametrize("name", MAKERS)
def test_the_name_the_shape_and_no_trace(name):
    """Gradients are left nowhere, and neither weights nor modes change."""
    explainer = planted(name)
    before = copy.deepcopy(explainer.classifier.state_dict())
    with torch.no_grad():
        picture = explainer.picture(EXCERPTS)
    assert explainer.name == name
    assert picture.shape == EXCERPTS.shape and picture.isfinite().all() and not picture.requires_grad
    assert all(torch.equal(value, before[key]) for key, value in explainer.classifier.state_dict().items())
    assert all(weight.grad is None and weight.requires_grad for weight in explainer.classifier.parameters())
    assert explainer.classifier.training


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_again_in_another_batch_and_in_inference_mode(name):
    picture = planted(name).picture(EXCERPTS).detach()
    explainer = planted(name)
    with torch.inference_mode():
        alone = torch.cat([explainer.picture(excerpt[None].clone()) for excerpt in EXCERPTS])
        turned = explainer.picture(EXCERPTS.flip(0).clone()).flip(0)
    torch.testing.assert_close(alone.clone(), picture, atol=1e-4, rtol=0)
    torch.testing.assert_close(turned.clone(), picture, atol=1e-4, rtol=0)
    torch.testing.assert_close(planted(name).picture(EXCERPTS).detach(), picture, atol=0, rtol=0)


@pytest.mark.parametrize("name", MAKERS)
def test_it_explains_svdnet(name, classifier):
    excerpts = torch.randn(2, 115, 80)
    quick = {"inversion_optimised": {"steps": 2}, "extremal": {"steps": 2, "areas": [0.1], "stride": 5}}
    explainer = MAKERS[name](classifier, UpConv(8).eval(), excerpts, **quick.get(name, {}))
    with torch.inference_mode():
        explanation = explainer(excerpts.clone())
    assert explanation.picture.shape == (2, 115, 80) and explanation.picture.isfinite().all()
    assert not classifier.training


@pytest.mark.parametrize("name", MAKERS)
def test_its_configuration_makes_it(name):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("evaluate", ["paths.run=run", f"explainer={name}"])
    check(cfg)
    rehearse(cfg, build(cfg.store, frontend=build(cfg.frontend)))
    made = build(cfg.explainer, classifier=nn.Identity(), threshold=0.6, **parts(name))
    usual = vars(type(made)(nn.Identity(), **parts(name)))
    for key, value in vars(made).items():
        assert isinstance(value, nn.Module) or value == usual[key], key


def parts(name):
    needed = {"inversion_optimised": (), "extremal": (), "contrast": ("inverter",), "gated_inversion": ("inverter",)}
    return dict.fromkeys(needed.get(name, ("inverter", "examples")), nn.Identity())


REFUSED = [
    ("inversion_optimised", "steps", 0, "at least 1"),
    ("inversion_optimised", "rate", 0.0, "more than 0"),
    ("inversion_optimised", "bound", -1.0, "more than 0"),
    ("inversion_optimised", "slope", 0.0, "more than 0"),
    ("extremal", "areas", [], "numbers between 0 and 1"),
    ("extremal", "areas", [0.1, 1.0], "numbers between 0 and 1"),
    ("extremal", "steps", 0, "at least 1"),
    ("extremal", "stride", 0, "at least 1"),
    ("extremal", "weight", 0.0, "more than 0"),
    ("extremal", "growth", 0.0, "more than 0"),
    ("gated_inversion", "frames", -1.0, "0 or more"),
    ("gated_inversion", "bands", -0.5, "0 or more"),
]


@pytest.mark.parametrize("name, key, value, expected", REFUSED)
def test_what_is_out_of_range_is_refused(name, key, value, expected):
    with pytest.raises(ConfigError) as error:
        planted(name, **{key: value})
    assert str(error.value) == f"explainer.{key}={value}: expected {expected}"


def test_optimised_without_regularisers_finds_the_rectangle_and_leaves_the_rest():
    picture = planted("inversion_optimised", steps=200, **FREE).picture(EXCERPTS)
    torch.testing.assert_close(picture, EXCERPTS * RECTANGLE, atol=0.02, rtol=0)
    assert picture[:, ~RECTANGLE].abs().max() < 1e-3


def test_optimised_is_smoother_with_a_smaller_slope_and_smaller_with_a_smaller_bound():
    rough, smoother = (
        planted("inversion_optimised", **{**FREE, "slope": slope}).picture(EXCERPTS) for slope in (1e9, 0.3)
    )
    assert (variation(smoother) < 0.7 * variation(rough)).all()
    low = planted("inversion_optimised", **{**FREE, "bound": 0.5}).picture(EXCERPTS)
    assert low.abs().max() < 0.8 < rough.abs().max()


def test_the_cost_of_an_inversion_by_hand():
    """A picture of ones: error Σ (1 − f)² / Σ f², size 1 / 2⁶, and no variation."""
    explainer = planted("inversion_optimised", bound=2.0)
    features = torch.full((1, 48), -1.0)
    torch.testing.assert_close(explainer.cost(torch.ones(1, FRAMES, BANDS), features), torch.tensor([4 + 1 / 64]))


def test_extremal_masks_lie_on_the_rectangle():
    picture = planted("extremal").picture(EXCERPTS)
    assert (overlap(best(picture)) > 0.75).all()  # the corners of a smooth mask are round
    assert (overlap(largest_mask(picture, torch.full((6,), 24))) == 0.5).all()  # the best half lies inside


def test_an_extremal_mask_has_its_area():
    for area in (0.06, 0.25):
        mask = planted("extremal", areas=[area], steps=40).picture(EXCERPTS)
        assert ((mask >= 0) & (mask <= 1)).all()
        torch.testing.assert_close(mask.mean((1, 2)), torch.full((6,), area), atol=0.07, rtol=0)


def test_extremal_masks_keep_the_evidence_against_the_explainers_own_fill():
    """Silence, −1 here, says "no singing": what keeps singing are the bins above it, also those below the mean."""
    classifier = Planted()
    excerpts = torch.full((1, FRAMES, BANDS), -0.2)
    classifier.threshold = 0.1  # log-odds −1.6 are singing
    classifier.mean, classifier.std = torch.zeros(BANDS), torch.full((BANDS,), 1.0)
    options = dict(areas=[0.125], stride=2, fill="floor", floor=0.3678794)
    assert overlap(best(ExtremalMask(classifier, **options).picture(excerpts))) > 0.75
    assert overlap(best(ExtremalMask(classifier, **{**options, "fill": "mean"}).picture(excerpts))) < 0.25


def test_a_painted_cell_is_1_around_its_centre_and_fades_by_the_papers_profile():
    mask = paint(torch.eye(5)[2].outer(torch.eye(4)[1])[None], (25, 20))[0]
    assert mask.shape == (25, 20)
    assert mask[12, 7] > 0.99 and mask.max() <= 1
    assert (mask[12:, 7].diff() <= 0).all() and (mask[:13, 7].diff() >= 0).all() and (mask[12, 7:].diff() <= 0).all()
    assert (paint(torch.ones(1, 5, 4), (25, 20)) > 0.9).all() and (paint(torch.zeros(1, 5, 4), (25, 20)) == 0).all()
    torch.testing.assert_close(kernel(25, 5)[12], torch.exp(-torch.tensor([1.0, 0, 0, 0, 1]) / 4))


def test_the_area_is_that_of_the_sorted_mask():
    mask = (torch.arange(40.0).view(1, 5, 8) % 4 == 0).float()
    assert area_cost(mask, 0.25) == 0 and area_cost(mask, 0.5) == pytest.approx(0.25)


def test_contrast_by_hand():
    """w = 1/6 everywhere and ‖w‖² = 4/3: the score is (log-odds − logit τ) / 8 in the rectangle, 0 elsewhere."""
    mean = EXCERPTS[:, ROWS, COLUMNS].mean((1, 2))
    for threshold, moved in ((0.5, 0.0), (0.66, 0.0829118)):  # logit 0.66 / 8
        classifier = Planted()
        classifier.threshold = threshold
        with torch.no_grad():
            score = ContrastiveInversion(classifier, PlantedInverter()).picture(EXCERPTS)
        expected = torch.where(VOCAL, mean - moved, moved - mean)[:, None, None] * RECTANGLE
        torch.testing.assert_close(score, expected, atol=1e-5, rtol=0)
        assert (score[:, RECTANGLE] > 0).all()


def test_contrast_is_proportional_to_the_weights():
    classifier = Planted()
    with torch.no_grad():
        classifier.fc9.weight.copy_(torch.linspace(-1, 2, 48))
        score = ContrastiveInversion(classifier, PlantedInverter()).picture(EXCERPTS)
        side = classifier.logits(EXCERPTS).abs() / classifier.fc9.weight.square().sum()
    torch.testing.assert_close(score[:, RECTANGLE], side[:, None] * classifier.fc9.weight)


def test_contrast_needs_a_linear_layer_and_a_threshold_inside():
    classifier = Planted()
    classifier.fc9 = nn.Sequential(classifier.fc9)
    with pytest.raises(ConfigError, match="explainer=contrast needs a classifier whose last layer is fc9"):
        ContrastiveInversion(classifier, PlantedInverter()).picture(EXCERPTS)
    classifier.threshold = 1.0
    with pytest.raises(ConfigError, match=r"classifier.threshold=1.0: explainer=contrast needs one between 0 and 1"):
        ContrastiveInversion(classifier, PlantedInverter())


def test_gated_without_smoothing_by_hand():
    """Gradient ±1/6 times the excerpt: only what speaks for the label counts, in the rectangle only."""
    gate = planted("gated_inversion", frames=0.0, bands=0.0).gate(EXCERPTS)
    sign = torch.where(VOCAL, 1.0, -1.0)[:, None, None]
    torch.testing.assert_close(gate, (sign * EXCERPTS * RECTANGLE / 6).clamp_min(0))
    picture = planted("gated_inversion", frames=0.0, bands=0.0).picture(EXCERPTS)
    salience = normalise(PlantedInverter()(Planted().features(EXCERPTS)))
    torch.testing.assert_close(picture, salience * normalise(gate))
    assert (picture[:, ~RECTANGLE] == 0).all()


def test_gated_reaches_no_further_than_its_gaussian():
    near = smooth(RECTANGLE[None].float(), 1.0, 1.0) > 0
    picture = planted("gated_inversion").picture(EXCERPTS)
    assert (picture[:, ~near[0]] == 0).all() and (picture[:, RECTANGLE].amax(1) > 0).all() and not near.all()


def test_evidence_is_measured_from_the_fill():
    """An excerpt that is its own fill has none."""
    flat = EXCERPTS[:2].mean(1, keepdim=True).expand(-1, FRAMES, -1)
    assert planted("gated_inversion", fill="excerpt-mean").gate(flat).max() < 1e-6
    assert planted("gated_inversion").gate(flat).max() > 0.01


def test_a_gaussian_keeps_the_sum_and_has_its_deviation():
    point = torch.zeros(1, 61, 41)
    point[0, 30, 20] = 1
    spread = smooth(point, 4.0, 2.0)[0]
    assert spread.sum() == pytest.approx(1, abs=1e-5)
    for dim, centre, deviation in ((1, 30, 4.0), (0, 20, 2.0)):
        offsets = torch.arange(len(spread.sum(dim))) - centre
        assert (spread.sum(dim) * offsets**2).sum().sqrt() == pytest.approx(deviation, rel=0.03)


def saliences(vocal):
    return normalise(PlantedInverter()(Planted().features(EXAMPLES)))[vocal == EXAMPLES_VOCAL]


def test_the_class_mean_is_the_same_for_all_of_a_label():
    picture = planted("class_mean_mask").picture(EXCERPTS).detach()
    for vocal in (True, False):
        expected = saliences(vocal).mean(0).expand(3, -1, -1)
        torch.testing.assert_close(picture[vocal == VOCAL], expected)
    assert not torch.allclose(picture[0], picture[1])


def test_another_tracks_mask_is_an_example_of_the_same_label():
    pictures = [planted("other_track_mask", seed=seed).picture(EXCERPTS).detach() for seed in range(8)]
    for vocal in (True, False):
        drawn = torch.cat([picture[vocal == VOCAL] for picture in pictures])
        equal = (drawn[:, None] == saliences(vocal)).flatten(2).all(2)
        assert (equal.sum(1) == 1).all() and (equal.sum(0) > 0).all()  # one each, and each some time


@pytest.mark.parametrize("kind", [ClassMeanMask, OtherTrackMask])
def test_without_an_example_of_the_label_all_are_used(kind):
    singing = EXAMPLES[EXAMPLES_VOCAL]
    picture = kind(Planted(), PlantedInverter(), singing).picture(EXCERPTS).detach()
    if kind is ClassMeanMask:
        torch.testing.assert_close(picture, saliences(True).mean(0).expand(6, -1, -1))
    else:
        assert (picture[:, None] == saliences(True)).flatten(2).all(2).any(1).all()


@pytest.mark.parametrize("kind", [ClassMeanMask, OtherTrackMask])
def test_the_examples_are_looked_at_once_and_not_before_they_are_needed(kind):
    seen = []
    inverter = PlantedInverter()
    inverter.register_forward_pre_hook(lambda _, features: seen.append(len(features[0])))
    explainer = kind(Planted(), inverter, EXAMPLES)
    assert seen == []
    explainer.picture(EXCERPTS), explainer.picture(EXCERPTS)
    assert seen == [9]
