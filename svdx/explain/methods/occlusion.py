"""Occlusion: what the evidence loses when a window of the excerpt is covered."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explain.methods.attribution import AT_ONCE, Attributed
from svdx.schema.checks import checked
from svdx.schema.types import PositiveInt

Bins = Annotated[Annotated[list[PositiveInt], Field(min_length=2, max_length=2)], "[frames,bands], 1 or more of each"]

WINDOW, STRIDE = [19, 20], [5, 5]


@checked
class Occlusion(Attributed):
    """A window that slides over the excerpt, holding the training mean (Zeiler and Fergus, ECCV 2014), by Captum's
    Occlusion. A bin scores the mean of what is lost over the windows that cover it.

    The paper slides a grey square over pictures and states neither its size nor its step. A window as large as
    a block of SLIME's takes 273 forwards; `stride=[19,20]` takes 28 and is coarse.

    window, stride: frames and bands
    """

    name = "occlusion"

    def __init__(
        self,
        classifier: nn.Module,
        window: Bins = WINDOW,
        stride: Bins = STRIDE,
        **options,
    ) -> None:
        super().__init__(classifier, **options)
        self.window, self.stride = tuple(window), tuple(stride)

    @staticmethod
    def check_options(*, window: list[int], stride: list[int], **_: object) -> None:
        if any(step > size for step, size in zip(stride, window, strict=True)):
            raise ConfigError(f"explainer.stride={list(stride)}: steps over bins with window={list(window)}")

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        from captum.attr import Occlusion as Method

        if any(size > side for size, side in zip(self.window, excerpts.shape[1:], strict=True)):
            raise ConfigError(f"explainer.window={list(self.window)}: larger than an excerpt")
        how = {"strides": self.stride, "perturbations_per_eval": max(1, AT_ONCE // len(excerpts))}
        return Method(model).attribute(excerpts, self.window, baselines=0, target=label, **how)
