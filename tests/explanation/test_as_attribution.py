"""Explainers as Captum's metrics and Quantus take them, on classifiers whose answer is known."""

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch

from svdx.errors import ConfigError
from svdx.explanation import Explainer, FeatureInversion
from svdx.explanation.evidence import TwoClasses, evidence_gradient
from svdx.explanation.methods.controls import RandomBins
from svdx.explanation.scores import as_function, scores
from svdx.models import UpConv
from tests.support.toys import BANDS, FRAMES, RECTANGLE, Planted, PlantedInverter, planted_excerpts

captum_metrics = pytest.importorskip("captum.metrics")
Attribution = pytest.importorskip("captum.attr").Attribution

EXCERPTS, VOCAL = planted_excerpts()
ROOT = Path(__file__).parent.parent.parent


class Gradient(Explainer):
    """The exact gradient of the evidence for the predicted class."""

    name = "gradient"

    def score(self, excerpts):
        return evidence_gradient(self.classifier, excerpts, self.classifier(excerpts) > self.decision)


def as_attribution(explainer):
    from svdx.explanation.as_attribution import AsAttribution

    return AsAttribution(explainer)


def noise(excerpts):
    taken = 0.1 * torch.randn_like(excerpts)
    return taken, excerpts - taken


@pytest.fixture(scope="module")
def example():
    spec = spec_from_file_location("captum_metrics", ROOT / "examples/captum_metrics.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("shape", [(FRAMES, BANDS), (1, FRAMES, BANDS)])
def test_an_attribution_has_the_scores_in_the_shape_of_the_inputs(shape):
    explainer = FeatureInversion(Planted(), PlantedInverter())
    attribution, inputs = as_attribution(explainer), EXCERPTS.view(-1, *shape)
    assert isinstance(attribution, Attribution)
    found = attribution.attribute(inputs, target=VOCAL.long())
    assert found.shape == inputs.shape and not found.requires_grad
    assert torch.equal(found.view_as(EXCERPTS), EXCERPTS * RECTANGLE)
    assert attribution.forward_func(inputs).shape == (6, 2)


def test_the_model_is_untouched():
    classifier = Planted()
    state = {name: value.clone() for name, value in classifier.state_dict().items()}
    inputs = EXCERPTS.clone().requires_grad_()
    as_attribution(FeatureInversion(classifier, PlantedInverter())).attribute(inputs)
    assert inputs.grad is None and torch.equal(inputs, EXCERPTS)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in classifier.parameters())
    assert all(torch.equal(value, state[name]) for name, value in classifier.state_dict().items())
    assert not any(module._forward_hooks or module._backward_hooks for module in classifier.modules())


@pytest.mark.parametrize("shape", [(FRAMES, BANDS), (1, FRAMES, BANDS)])
def test_the_exact_gradient_of_a_linear_model_has_no_infidelity_and_chance_has_some(shape):
    inputs, label = EXCERPTS.view(-1, *shape), VOCAL.long()
    found = {}
    for explainer in (Gradient(Planted()), RandomBins(Planted())):
        attribution = as_attribution(explainer)
        values = attribution.attribute(inputs)
        found[explainer.name] = captum_metrics.infidelity(attribution.forward_func, noise, inputs, values, target=label)
    assert found["gradient"].abs().max() < 1e-9
    assert found["random"].min() > 0.01


def test_the_gradient_of_a_linear_model_is_not_sensitive_and_the_inversion_is_as_its_input():
    linear = as_attribution(Gradient(Planted()))
    assert captum_metrics.sensitivity_max(linear.attribute, EXCERPTS, target=VOCAL.long()).max() == 0
    inversion = as_attribution(FeatureInversion(Planted(), PlantedInverter()))
    changed = captum_metrics.sensitivity_max(inversion.attribute, EXCERPTS, perturb_radius=0.02, target=VOCAL.long())
    heard = (EXCERPTS * RECTANGLE).flatten(1).norm(dim=1)
    assert (changed > 0).all() and (changed <= 0.02 * 48**0.5 / heard + 1e-6).all()


def like_quantus(model, x_batch, y_batch, explain_func, **explain_func_kwargs):
    """Calls as Quantus 0.5 does: arrays in, an array out, and once with another model of the same class."""
    arguments = dict(inputs=x_batch, targets=y_batch, **explain_func_kwargs)
    other = TwoClasses(Planted())
    other.classifier.fc9.weight.data.neg_()
    return explain_func(model=model, **arguments), explain_func(model=other, **arguments)


@pytest.mark.parametrize("shape", [(FRAMES, BANDS), (1, FRAMES, BANDS)])
def test_a_function_as_quantus_calls_it_explains_the_model_that_it_is_given(shape):
    explain_func = as_function(Gradient)
    x = EXCERPTS.view(-1, *shape).numpy().astype(np.float64)
    own, other = like_quantus(TwoClasses(Planted()), x, VOCAL.long().numpy(), explain_func, device="cpu", method="any")
    assert isinstance(own, np.ndarray) and own.shape == other.shape == x.shape
    expected = evidence_gradient(Planted(), EXCERPTS, VOCAL).numpy().reshape(x.shape)
    assert np.array_equal(own, expected) and np.array_equal(other, expected)  # two signs each: of label and weight
    assert np.array_equal(own[0], -own[1])


def test_two_classes_take_excerpts_as_images():
    model = TwoClasses(Planted())
    assert torch.equal(model(EXCERPTS[:, None]), model(EXCERPTS))


def test_the_example_runs_on_random_networks(example, classifier):
    explainer, excerpts = FeatureInversion(classifier, UpConv(8).eval()), torch.randn(2, 115, 80)
    found = example.measured(explainer, excerpts)
    assert set(found) == {"infidelity", "sensitivity"} and all(0 < value < 1e6 for value in found.values())
    assert torch.equal(scores(explainer, excerpts), explainer.score(excerpts))


def test_the_example_finds_the_exact_gradient_faithful(example):
    assert example.measured(Gradient(Planted()), EXCERPTS, normalize=False)["infidelity"] < 1e-9


def test_captum_is_imported_only_by_as_attribution():
    code = "import sys, svdx.explanation, svdx.explanation.scores; assert 'captum' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_without_captum_the_error_names_the_package():
    code = (
        "import sys; sys.modules['captum'] = sys.modules['captum.attr'] = None\n"
        "from svdx.errors import ConfigError\n"
        "try:\n    import svdx.explanation.as_attribution\n"
        "except ConfigError as error:\n    assert \"needs captum: pip install 'svdx[compare]'\" in str(error)\n"
        "else:\n    raise SystemExit(1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_another_target_than_the_predicted_class_is_refused():
    attribution = as_attribution(FeatureInversion(Planted(), PlantedInverter()))
    assert attribution.attribute(EXCERPTS[VOCAL], target=1).shape == EXCERPTS[VOCAL].shape
    with pytest.raises(ConfigError, match="target=0: svdx explains the predicted classes, here"):
        attribution.attribute(EXCERPTS[VOCAL], target=0)
