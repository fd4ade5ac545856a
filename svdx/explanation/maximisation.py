"""Activation maximisation: the excerpt that a unit of the classifier responds to most. It is no sound in particular.

Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks", 2014; the total variation is that of Mahendran
and Vedaldi, "Understanding Deep Image Representations by Inverting Them", CVPR 2015, with β = 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explanation.evidence import log_odds, recording
from svdx.explanation.methods.optimised import total_variation
from svdx.models.layers import FC8, MAPS, VECTORS, network_up_to
from svdx.schema.checks import checked
from svdx.schema.types import NonNegativeFloat, PositiveFloat, PositiveInt, Seed

LAST = "fc9"  # the log-odds of singing
Unit = Callable[[Tensor], Tensor]  # excerpts [B, frames, bands] → activations [B]


@dataclass(frozen=True)
class Extreme:
    """excerpt: standardised log-mel, [frames, bands]; trace: the unit's activation before each step and at the end."""

    excerpt: Tensor
    trace: Tensor

    @property
    def activation(self) -> float:
        """The unit's activation for the excerpt."""
        return float(self.trace[-1])


@checked
def maximise(
    unit: Unit,
    start: Tensor,
    l2: NonNegativeFloat = 0.5,
    variation: NonNegativeFloat = 1.5,
    bound: NonNegativeFloat = 3.0,
    steps: PositiveInt = 200,
    rate: PositiveFloat = 0.1,
    noise: NonNegativeFloat = 0.1,
    seed: Seed = 0,
) -> Extreme:
    """The excerpt x at which unit(x) / s − l2 · mean(x²) − variation · `total_variation`(x) is greatest.

    s is the unit's gain, by its gradient at the start, if every bin moves one standard deviation in its direction. With
    it the same penalties suit units of any scale.

    Gradient ascent by Adam, with a rate that falls to 0 along a cosine, from `start` [frames, bands] (the training mean
    is 0) and a little noise from the seed. Without noise all frames are equal, and max-pooling picks the first one.

    bound: greatest deviation of a bin from its training mean, in standard deviations
    """
    drawn = torch.randn(start.shape, generator=torch.Generator().manual_seed(seed)).to(start)
    trace = []
    with recording():
        excerpt = (start + noise * drawn).clamp(-bound, bound).requires_grad_()
        optimizer = torch.optim.Adam([excerpt], lr=rate)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        (slope,) = torch.autograd.grad(unit(excerpt[None])[0], excerpt)
        scale = slope.abs().sum()
        for _ in range(steps):
            activation = unit(excerpt[None])[0]
            trace.append(activation.detach())
            penalty = l2 * excerpt.square().mean() + variation * total_variation(excerpt[None])[0] / 4
            (excerpt.grad,) = torch.autograd.grad(scale * penalty - activation, excerpt)
            optimizer.step()
            falling.step()
            with torch.no_grad():
                excerpt.clamp_(-bound, bound)
        maximum = excerpt.detach()
        trace.append(unit(maximum[None])[0].detach())
    return Extreme(maximum, torch.stack(trace))


def check_unit(name: str) -> tuple[str, int]:
    """A unit's layer and number: fc9, fc8.17, or conv4.3, the mean of a map. Raises: ConfigError.

    >>> check_unit("fc8.17")
    ('fc8', 17)
    """
    if name == LAST:
        return LAST, 0
    layer, _, number = name.partition(".")
    units = {**{layer: maps.channels for layer, maps in MAPS.items()}, **VECTORS}
    if layer not in units:
        raise ConfigError(f"maximise={name}: expected {LAST}, or a unit of {', '.join(units)}, as {FC8}.17")
    if not (number.isascii() and number.isdigit() and int(number) < units[layer]):
        raise ConfigError(f"maximise={name}: expected {layer}.0 to {layer}.{units[layer] - 1}")
    return layer, int(number)


def unit_of(classifier: nn.Module, name: str) -> Unit:
    """A unit of a classifier by its name. A hidden unit is taken before its non-linearity, where it has a gradient even
    if it is inactive. Raises: ConfigError."""
    layer, number = check_unit(name)
    if layer == LAST:
        return partial(log_odds, classifier)
    part = network_up_to(classifier, layer)
    if isinstance(part[-1], nn.Sequential):
        part[-1] = part[-1][:-1]
    return lambda excerpts: part(excerpts)[:, number].flatten(1).mean(1) if layer in MAPS else part(excerpts)[:, number]


def extremes(classifier: Any, name: str, ascend: Callable[[Unit, Tensor], Extreme]) -> dict[str, Extreme]:
    """The excerpt that maximises a unit, as "maximum", and for fc9 the one that minimises it, as "minimum".

    ascend: `maximise` with its options
    """
    unit = unit_of(classifier, name)
    start = torch.zeros(classifier.frames, classifier.bands)
    extreme = {"maximum": ascend(unit, start)}
    if name == LAST:
        opposite = ascend(lambda excerpts: -unit(excerpts), start)
        extreme["minimum"] = replace(opposite, trace=-opposite.trace)
    return extreme
