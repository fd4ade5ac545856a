"""Properties of the explainers that do not use Captum, on a classifier whose answer is known."""

import copy
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from torch import nn

from svdx.app.settings import build
from svdx.app.validation import validate_config
from svdx.errors import ConfigError
from svdx.explanation.methods.controls import ClassMeanMask, OtherTrackMask
from svdx.explanation.methods.extremal import ExtremalMask
from svdx.explanation.methods.inversion import ContrastiveInversion, GatedInversion
from svdx.explanation.methods.optimised import OptimisedInversion
from svdx.models import UpConv
from svdx.schema.checks import as_typed
from tests.support.toys import Planted, PlantedInverter, planted_excerpts

CONF = Path(__file__).parent.parent.parent.parent / "conf"
EXCERPTS, _ = planted_excerpts()
EXAMPLES, _ = planted_excerpts(9, seed=5)


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


@pytest.mark.parametrize("name", MAKERS)
def test_name_shape_and_no_side_effects(name):
    """No gradients are left, and neither weights nor modes change."""
    explainer = planted(name)
    before = copy.deepcopy(explainer.classifier.state_dict())
    with torch.no_grad():
        score = explainer.score(EXCERPTS)
    assert explainer.name == name
    assert score.shape == EXCERPTS.shape and score.isfinite().all() and not score.requires_grad
    assert all(torch.equal(value, before[key]) for key, value in explainer.classifier.state_dict().items())
    assert all(weight.grad is None and weight.requires_grad for weight in explainer.classifier.parameters())
    assert explainer.classifier.training


@pytest.mark.parametrize("name", MAKERS)
def test_scores_do_not_depend_on_batch_or_inference_mode(name):
    score = planted(name).score(EXCERPTS).detach()
    explainer = planted(name)
    with torch.inference_mode():
        alone = torch.cat([explainer.score(excerpt[None].clone()) for excerpt in EXCERPTS])
        turned = explainer.score(EXCERPTS.flip(0).clone()).flip(0)
    torch.testing.assert_close(alone.clone(), score, atol=1e-4, rtol=0)
    torch.testing.assert_close(turned.clone(), score, atol=1e-4, rtol=0)
    torch.testing.assert_close(planted(name).score(EXCERPTS).detach(), score, atol=0, rtol=0)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("value", [0.0, -3.0])
def test_constant_excerpts_have_a_finite_explanation(name, value):
    explanation = planted(name)(torch.full((2, 24, 16), value))
    assert all(torch.isfinite(part).all() for part in (explanation.score, explanation.salience, explanation.masked))
    assert explanation.salience.min() >= 0 and explanation.salience.max() <= 1


@pytest.mark.parametrize("name", MAKERS)
def test_explains_svdnet(name, classifier):
    excerpts = torch.randn(2, 115, 80)
    quick = {"inversion_optimised": {"steps": 2}, "extremal": {"steps": 2, "areas": [0.1], "stride": 5}}
    explainer = MAKERS[name](classifier, UpConv(8).eval(), excerpts, **quick.get(name, {}))
    with torch.inference_mode():
        explanation = explainer(excerpts.clone())
    assert explanation.score.shape == (2, 115, 80) and explanation.score.isfinite().all()
    if name in quick:  # to the last bit: what searches would multiply it
        assert torch.equal(explainer.score(excerpts[1:]), explanation.score[1:])
    assert not classifier.training


@pytest.mark.parametrize("name", MAKERS)
def test_configuration_makes_the_class_with_its_defaults(name):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("evaluate", ["paths.run=run", f"explainer={name}"])
    validate_config(cfg)
    made = build(cfg.explainer, classifier=nn.Identity(), **parts(name))
    usual = vars(type(made)(nn.Identity(), **parts(name)))
    for key, value in vars(made).items():
        assert isinstance(value, nn.Module) or value == usual[key], key


def parts(name):
    needed = {"inversion_optimised": (), "extremal": (), "contrast": ("inverter",), "gated_inversion": ("inverter",)}
    return dict.fromkeys(needed.get(name, ("inverter", "examples")), nn.Identity())


REFUSED = [
    ("inversion_optimised", "steps", 0, "1 or more"),
    ("inversion_optimised", "rate", 0.0, "more than 0"),
    ("inversion_optimised", "bound", -1.0, "more than 0"),
    ("inversion_optimised", "slope", 0.0, "more than 0"),
    ("extremal", "areas", [], "[a number, …]"),
    ("extremal", "areas", [0.1, 1.0], "more than 0, less than 1"),
    ("extremal", "steps", 0, "1 or more"),
    ("extremal", "stride", 0, "1 or more"),
    ("extremal", "weight", 0.0, "more than 0"),
    ("extremal", "growth", 0.0, "more than 0"),
    ("gated_inversion", "frames", -1.0, "0 or more"),
    ("gated_inversion", "bands", -0.5, "0 or more"),
]


@pytest.mark.parametrize("name, key, value, expected", REFUSED)
def test_options_out_of_range_are_refused(name, key, value, expected):
    with pytest.raises(ConfigError) as error:
        planted(name, **{key: value})
    assert str(error.value).endswith(f": {key}={as_typed(value)}: expected {expected}")
