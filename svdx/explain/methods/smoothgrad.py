"""SmoothGrad: where the evidence is steep around an excerpt."""

from __future__ import annotations

from torch import Tensor, nn

from svdx.explain.methods.attribution import AT_ONCE, Sampled
from svdx.schema.checks import checked
from svdx.schema.types import NonNegativeFloat, PositiveInt, Seed


@checked
class SmoothGrad(Sampled):
    """Magnitude of the mean gradient under Gaussian noise (Smilkov et al., 2017), by Captum's NoiseTunnel.

    Each excerpt has its own noise and is done by itself; that costs no time, since its samples fill a batch.

    samples: of noise, a gradient each; noise: its standard deviation as a share of the excerpt's range; the paper's
        figures have 50 and 0.1 to 0.2
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
        deviation = self.noise * float(high - low)
        how = {"nt_samples": self.samples, "nt_samples_batch_size": AT_ONCE, "stdevs": deviation}
        return NoiseTunnel(Saliency(model)).attribute(excerpt, target=label, abs=False, **how).abs()
