"""Occlusion: what the evidence loses when a window of the excerpt is covered."""

from __future__ import annotations

from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explain.methods.attribution import AT_ONCE, Attributed


class Occlusion(Attributed):
    """A window that slides over the excerpt, holding the training mean (Zeiler and Fergus, ECCV 2014), by Captum's
    Occlusion. A bin scores the mean of what is lost over the windows that cover it.

    The paper slides a grey square over pictures and states neither its size nor its step. A window as large as
    a block of SLIME's takes 273 forwards; `stride=[19,20]` takes 28 and is coarse.

    window, stride: frames and bands
    """

    name = "occlusion"

    def __init__(
        self, classifier: nn.Module, window: list[int] | None = None, stride: list[int] | None = None, **options
    ) -> None:
        super().__init__(classifier, **options)
        self.window, self.stride = tuple(window or (19, 20)), tuple(stride or (5, 5))
        for name, pair in {"window": self.window, "stride": self.stride}.items():
            if len(pair) != 2 or min(pair) < 1:
                raise ConfigError(f"explainer.{name}={list(pair)}: expected frames and bands, 1 or more of each")
        if any(step > size for step, size in zip(self.stride, self.window, strict=True)):
            raise ConfigError(f"explainer.stride={list(self.stride)}: steps over bins with window={list(self.window)}")

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        from captum.attr import Occlusion as Method

        if any(size > side for size, side in zip(self.window, excerpts.shape[1:], strict=True)):
            raise ConfigError(f"explainer.window={list(self.window)}: larger than an excerpt")
        how = {"strides": self.stride, "perturbations_per_eval": max(1, AT_ONCE // len(excerpts))}
        return Method(model).attribute(excerpts, self.window, baselines=0, target=label, **how)
