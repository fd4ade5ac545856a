"""What an explanation costs: passes through the classifier, and seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explain.explainer import Explainer

MOST = 100  # explanations that are timed


@dataclass
class Passes:
    """Excerpts that went forwards through a classifier, and whose gradient came back through it."""

    forwards: int = 0
    backwards: int = 0


@contextmanager
def counted(classifier: nn.Module) -> Iterator[Passes]:
    """Counts while it lasts, at the classifier's first layer: whoever calls the layer, and by which method.

    An excerpt's gradient counts where it comes back to that layer's output.
    """
    passes = Passes()

    def gone_back(gradient: Tensor) -> None:
        passes.backwards += len(gradient)

    def gone_through(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        passes.forwards += len(output)
        if output.requires_grad:
            output.register_hook(gone_back)

    hook = layers(classifier)[next(iter(layers(classifier)))].register_forward_hook(gone_through)
    try:
        yield passes
    finally:
        hook.remove()


def layers(classifier: nn.Module) -> dict[str, nn.Module]:
    """The layers that hold weights, by name, from the input to the output."""
    return {name: part for name, part in classifier.named_modules() if hasattr(part, "reset_parameters")}


class Cost:
    """seconds: for how long a method explains one excerpt after the other, to be timed at batch 1: once at least, a
    hundred times at most, and where there is time for more the first time does not count."""

    def __init__(self, seconds: float = 3.0) -> None:
        if not seconds > 0:
            raise ConfigError(f"compare.cost.seconds={seconds}: expected more than 0")
        self.seconds = seconds

    def alone(self, explainer: Explainer, excerpts: Tensor) -> list[float]:
        """Seconds for excerpts [n, frames, bands] one at a time, over and over until the time is spent."""
        taken: list[float] = []
        while not taken or (sum(taken) < self.seconds and len(taken) < MOST):
            taken.append(timed(explainer, excerpts[len(taken) % len(excerpts)][None])[1])
        return taken[1:] or taken


def timed(explainer: Explainer, excerpts: Tensor) -> tuple[Tensor, float]:
    """An explainer's score of excerpts [B, frames, bands], and the seconds that it takes."""
    begin = _now(excerpts.device)
    score = explainer.score(excerpts)
    return score, _now(excerpts.device) - begin


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
