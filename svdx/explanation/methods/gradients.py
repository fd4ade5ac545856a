"""Attribution by gradients of the log-odds of the predicted class, or by gradients that follow another rule."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from svdx.explanation.evidence import TwoClasses
from svdx.explanation.methods.attribution import AT_ONCE, Attribution, SampledAttribution
from svdx.models.layers import LEAKY, sequential
from svdx.models.svdnet import LEAK, SVDNet
from svdx.schema.checks import checked
from svdx.schema.types import NonNegativeFloat, PositiveInt, Seed


class Saliency(Attribution):
    """The gradient's magnitude (Simonyan, Vedaldi and Zisserman, ICLR workshop 2014), by Captum's Saliency."""

    name = "saliency"

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        from captum.attr import Saliency as Method

        return Method(model).attribute(excerpts, target=label, abs=True)


class GradientXInput(Attribution):
    """The gradient times the bin's deviation from the training mean, signed (Shrikumar et al., 2016), by Captum's
    InputXGradient.
    """

    name = "gradient_x_input"

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        from captum.attr import InputXGradient

        return InputXGradient(model).attribute(excerpts, target=label)


@checked
class IntegratedGradients(Attribution):
    """The mean gradient on the straight line from the training mean to the excerpt, times their difference, signed
    (Sundararajan, Taly and Yan, ICML 2017), by Captum's IntegratedGradients.

    steps: points on the line, of Gauss–Legendre quadrature; the paper uses 20 to 300
    """

    name = "integrated_gradients"

    def __init__(self, classifier: nn.Module, steps: PositiveInt = 50, **options) -> None:
        super().__init__(classifier, **options)
        self.steps = steps

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        from captum.attr import IntegratedGradients as Method

        points = {"n_steps": self.steps, "internal_batch_size": AT_ONCE}
        return Method(model).attribute(excerpts, baselines=0, target=label, **points)


@checked
class SmoothGrad(SampledAttribution):
    """Magnitude of the mean gradient under Gaussian noise (Smilkov et al., 2017), by Captum's NoiseTunnel.

    Each excerpt has its own noise and is explained by itself, which costs no time since its samples fill a batch.

    samples: number of noisy excerpts, with one gradient each
    noise: its standard deviation as a share of the excerpt's range; the paper's figures use 50 samples and 0.1 to 0.2
    """

    name = "smoothgrad"

    def __init__(
        self,
        classifier: nn.Module,
        seed: Seed = 0,
        samples: PositiveInt = 50,
        noise: NonNegativeFloat = 0.15,
        **options,
    ) -> None:
        super().__init__(classifier, seed, **options)
        self.samples, self.noise = samples, noise

    def sample(self, model: nn.Module, excerpt: Tensor, label: Tensor) -> Tensor:
        from captum.attr import NoiseTunnel, Saliency

        low, high = excerpt.detach().aminmax()
        noise = {"stdevs": self.noise * float(high - low), "nt_samples": self.samples, "nt_samples_batch_size": AT_ONCE}
        return NoiseTunnel(Saliency(model)).attribute(excerpt, target=label, abs=False, **noise).abs()


class GuidedBackprop(Attribution):
    """Magnitude of a gradient of which every rectifier passes only the positive part (Springenberg et al., ICLR
    workshop 2015), by Captum's GuidedBackprop.

    The paper's networks have ReLUs, which pass nothing where their input is negative. SVDNet's leaky ReLUs pass a
    hundredth of the positive part there: the network that is explained is the one that decides. In other classifiers
    only modules of type nn.ReLU follow the rule; without any, this is saliency.
    """

    name = "guided_backprop"

    def model(self) -> nn.Module:
        return TwoClasses(with_rectifiers(self.classifier, LeakyRectifier))

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        from captum.attr import GuidedBackprop as Method

        return Method(model).attribute(excerpts, target=label).abs()


class DeepLift(Attribution):
    """Contributions by the rescale rule, against the training mean, signed (Shrikumar, Greenside and Kundaje, ICML
    2017), by Captum's DeepLift.

    They sum to the difference in log-odds. Excerpts are explained one at a time: where an excerpt equals the training
    mean, Captum's rule for max-pooling takes the gradient of the batch's first excerpt. In classifiers other than
    SVDNet only non-linearities that are modules follow the rule; others keep their gradient.
    """

    name = "deeplift"
    at_once = 1

    def model(self) -> nn.Module:
        return TwoClasses(with_rectifiers(self.classifier, LEAKY))

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        from captum.attr import DeepLift as Method

        return Method(model).attribute(excerpts, baselines=0, target=label)


class LeakyRectifier(nn.ReLU):
    """SVDNet's leaky ReLU, for tools that look for nn.ReLU."""

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x, LEAK)


class Layered(nn.Module):
    """An SVDNet in eval mode whose non-linearities are modules, with the same weights and, to 1e-5, the same log-odds.

    rectifier: makes a non-linearity
    """

    def __init__(self, network: SVDNet, rectifier: Callable[[], nn.Module]) -> None:
        super().__init__()
        self.logits = sequential(network, rectifier)

    def forward(self, excerpts: Tensor) -> Tensor:
        return self.logits(excerpts).sigmoid()


def with_rectifiers(classifier: nn.Module, rectifier: Callable[[], nn.Module]) -> nn.Module:
    """An SVDNet as `Layered`, so that Captum can replace the gradients of its non-linearities; others unchanged."""
    return Layered(classifier, rectifier) if isinstance(classifier, SVDNet) else classifier
