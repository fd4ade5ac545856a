"""The cost of an explanation: passes through the classifier, and seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from svdx.explanation.explainer import Explainer
from svdx.schema.checks import checked
from svdx.schema.types import PositiveFloat

MOST = 100  # timed explanations


@dataclass
class Passes:
    """Number of excerpts that went forwards through a classifier, and of those whose gradient came back."""

    forwards: int = 0
    backwards: int = 0


@contextmanager
def counted(classifier: nn.Module) -> Iterator[Passes]:
    """Count passes at the classifier's first layer, whichever of its methods calls that layer.

    A backward pass counts when the gradient reaches that layer's output.
    """
    passes = Passes()

    def count_backward(gradient: Tensor) -> None:
        passes.backwards += len(gradient)

    def count_forward(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        passes.forwards += len(output)
        if output.requires_grad:
            output.register_hook(count_backward)

    hook = next(iter(layers(classifier).values())).register_forward_hook(count_forward)
    try:
        yield passes
    finally:
        hook.remove()


def layers(classifier: nn.Module) -> dict[str, nn.Module]:
    """The layers that have weights, by name, from the input to the output."""
    return {name: part for name, part in classifier.named_modules() if hasattr(part, "reset_parameters")}


@checked
class Cost:
    """Times explanations at batch size 1.

    seconds: to spend on each method. It explains 1 to 100 excerpts; unless there is only one, the first is not timed
    """

    def __init__(self, seconds: PositiveFloat = 3.0) -> None:
        self.seconds = seconds

    def alone(self, explainer: Explainer, excerpts: Tensor) -> list[float]:
        """Seconds for excerpts [n, frames, bands] one at a time, repeated until the time is spent."""
        taken: list[float] = []
        while not taken or (sum(taken) < self.seconds and len(taken) < MOST):
            taken.append(timed(explainer, excerpts[len(taken) % len(excerpts)][None])[1])
        return taken[1:] or taken


def timed(explainer: Explainer, excerpts: Tensor) -> tuple[Tensor, float]:
    """An explainer's scores of excerpts [B, frames, bands], and the seconds they took."""
    begin = _now(excerpts.device)
    score = explainer.score(excerpts)
    return score, _now(excerpts.device) - begin


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
