"""SVDNet taken apart: its layers one after the other, for what needs them by name or as modules."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from torch import nn

from svdx.models.svdnet import LEAK, SVDNet

LEAKY = partial(nn.LeakyReLU, LEAK)


def sequential(network: SVDNet, rectifier: Callable[[], nn.Module] = LEAKY) -> nn.Sequential:
    """An SVDNet in eval mode as nn.Sequential, which shares its layers: excerpts [B, frames, bands] → log-odds [B].

    Its parts are conv1, conv2, mp3, conv4, conv5, mp6, fc7, fc8 and fc9, each with the non-linearity behind it, in the
    original's order: before the pooling. The same to 1e-5 as `SVDNet.logits`.

    rectifier: makes a non-linearity
    """

    def part(*layers: nn.Module) -> nn.Sequential:
        return nn.Sequential(*layers, rectifier())

    return nn.Sequential(
        OrderedDict(
            conv1=part(nn.Unflatten(1, (1, network.frames)), network.conv1),
            conv2=part(network.conv2),
            mp3=nn.MaxPool2d(3),
            conv4=part(network.conv4),
            conv5=part(network.conv5),
            mp6=nn.MaxPool2d(3),
            fc7=part(nn.Flatten(), network.fc7),
            fc8=part(network.fc8),
            fc9=nn.Sequential(network.fc9, nn.Flatten(0)),
        )
    )
