"""Properties of all explainers that use Captum: known answers, independence of the batch, no side effects."""

import copy
import warnings

import pytest
import torch

from svdx.explanation.methods.blocks import KernelShap, Occlusion, Slime
from svdx.explanation.methods.gradients import (
    DeepLift,
    GradientXInput,
    GuidedBackprop,
    IntegratedGradients,
    Saliency,
    SmoothGrad,
)
from tests.support.methods import METHODS, alike, every_method, scores, small_network
from tests.support.toys import RECTANGLE, Planted, planted_excerpts

RANDOM = (SmoothGrad, Slime, KernelShap)
EXCERPTS, VOCAL = planted_excerpts()
SLOPE = 8 / 48  # of the log-odds by a bin of the rectangle


@pytest.mark.parametrize("kind", [Saliency, GuidedBackprop, SmoothGrad])
def test_gradient_magnitude_of_a_linear_classifier_is_its_weights(kind):
    assert torch.allclose(scores(kind, Planted(), EXCERPTS), SLOPE * RECTANGLE.float().expand_as(EXCERPTS))


@pytest.mark.parametrize("kind", [GradientXInput, IntegratedGradients, DeepLift])
def test_contributions_to_a_linear_classifier_are_signed_towards_the_label(kind):
    sign = torch.where(VOCAL, 1.0, -1.0)[:, None, None]
    expected = sign * SLOPE * RECTANGLE * EXCERPTS
    assert torch.allclose(scores(kind, Planted(), EXCERPTS), expected, atol=1e-6)
    assert (expected[:, RECTANGLE].mean(1) > 0).all()


@pytest.mark.parametrize("kind", [GradientXInput, IntegratedGradients, DeepLift, KernelShap])
def test_contributions_sum_to_the_difference_in_log_odds(kind):
    found = scores(kind, Planted(), EXCERPTS)
    if kind is KernelShap:  # a bin has its block's
        found = found[:, ::4, ::4]
    assert torch.allclose(found.sum((1, 2)), Planted().logits(EXCERPTS).abs(), atol=1e-3)


def test_deeplift_and_integrated_gradients_are_complete_for_svdnet():
    network, excerpts = small_network()
    sign = torch.where(network(excerpts) > 0.5, 1, -1)
    difference = sign * (network.logits(excerpts) - network.logits(torch.zeros(1, 28, 28)))
    assert torch.allclose(scores(DeepLift, network, excerpts).sum((1, 2)), difference, rtol=1e-4, atol=1e-4)
    found = scores(IntegratedGradients, network, excerpts, steps=200).sum((1, 2))
    assert torch.allclose(found, difference, atol=0.02)
    assert not torch.allclose(scores(GradientXInput, network, excerpts).sum((1, 2)), difference, atol=0.1)


@pytest.mark.parametrize("kind", [Slime, KernelShap])
def test_blocks_in_the_rectangle_score_above_all_others(kind):
    """A grid of 6 × 4 over 24 × 16 has blocks of 4 × 4; the rectangle reaches into six."""
    for score in scores(kind, Planted(), EXCERPTS, samples=400):
        blocks = score.unfold(0, 4, 4).unfold(1, 4, 4).flatten(2)
        touched = RECTANGLE.unfold(0, 4, 4).unfold(1, 4, 4).flatten(2).any(2)
        assert torch.equal(blocks.amin(2), blocks.amax(2))
        assert touched.sum() == 6 and blocks[touched].min() > blocks[~touched].max()


def test_occlusion_of_a_linear_classifier_by_hand():
    """Windows of 4 × 2 side by side: each loses the sum of its part of the rectangle."""
    found = scores(Occlusion, Planted(), EXCERPTS, window=[4, 2], stride=[4, 2])
    evidence = torch.where(VOCAL, 1.0, -1.0)[:, None, None] * SLOPE * RECTANGLE * EXCERPTS
    lost = evidence.unfold(1, 4, 4).unfold(2, 2, 2).sum((3, 4))
    assert torch.allclose(found, lost.repeat_interleave(4, 1).repeat_interleave(2, 2), atol=1e-5)


@every_method
def test_the_rectangle_scores_above_the_rest(kind):
    found = scores(kind, Planted(), EXCERPTS)
    assert found.shape == EXCERPTS.shape and found.dtype == EXCERPTS.dtype and not found.requires_grad
    assert (found[:, RECTANGLE].mean(1) > found[:, ~RECTANGLE].mean(1) + 0.01).all()


@every_method
def test_an_excerpt_scores_the_same_in_any_batch(kind):
    network, excerpts = small_network()
    together = scores(kind, network, excerpts)
    for excerpt, expected in zip(excerpts, together, strict=True):
        assert alike(scores(kind, network, excerpt[None])[0], expected)
    assert alike(scores(kind, network, excerpts.flip(0)).flip(0), together)


@every_method
@pytest.mark.parametrize("value", [0.0, -3.0])
def test_constant_excerpts_have_a_finite_explanation(kind, value):
    explanation = kind(Planted(), **METHODS[kind])(torch.full((2, 24, 16), value))
    assert all(torch.isfinite(part).all() for part in (explanation.score, explanation.salience, explanation.masked))
    assert explanation.salience.min() >= 0 and explanation.salience.max() <= 1


@every_method
def test_more_excerpts_than_fit_one_pass(kind):
    many, _ = planted_excerpts(40)
    found = scores(kind, Planted(), many)
    assert torch.allclose(found[34:], scores(kind, Planted(), many[34:]), atol=1e-6)


@every_method
def test_scores_depend_on_the_seed_and_leave_the_global_generator_unchanged(kind):
    classifier = Cubed()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = scores(kind, classifier, EXCERPTS)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert torch.equal(scores(kind, classifier, EXCERPTS), first)
    if kind in RANDOM:
        assert not torch.equal(scores(kind, classifier, EXCERPTS, seed=1), first)


class Cubed(Planted):
    """Not linear, so that random methods differ between seeds."""

    def features(self, excerpts):
        return super().features(excerpts) ** 3


@every_method
def test_works_in_inference_mode(kind):
    network, excerpts = small_network()
    expected = scores(kind, network, excerpts)
    with torch.inference_mode():
        explanation = kind(network, **METHODS[kind])(excerpts.clone())
    assert alike(explanation.score, expected)
    assert torch.equal(explanation.probability, network(excerpts))


@every_method
@pytest.mark.parametrize("trainable", [True, False])
def test_classifier_and_excerpts_are_unchanged(kind, trainable):
    for classifier, excerpts in [small_network(), (Rectified(), EXCERPTS)]:
        classifier.requires_grad_(trainable)
        before, given = snapshot(classifier), excerpts.clone()
        scores(kind, classifier, given)
        assert str(snapshot(classifier)) == str(before)
        assert torch.equal(given, excerpts) and not given.requires_grad


@every_method
def test_captum_emits_no_warnings(kind):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores(kind, Rectified(), EXCERPTS)


class Rectified(Planted):
    """A toy with a non-linearity that hooks can find."""

    def __init__(self):
        super().__init__()
        self.relu = torch.nn.ReLU()

    def features(self, excerpts):
        return self.relu(super().features(excerpts))


def snapshot(classifier):
    """The state of a module and its submodules: weights, gradients, modes, hooks."""
    parts = {name: copy.deepcopy(vars(part)) for name, part in classifier.named_modules()}
    gradients = {name: parameter.grad for name, parameter in classifier.named_parameters()}
    return parts, gradients
