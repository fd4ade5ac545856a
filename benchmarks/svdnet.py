"""A training update of SVDNet, against PyTorch's layers in the paper's order, with channels first."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from benchmarks.row import Row, in_turn, milliseconds
from svdx.models import SVDNet

STRIP, BATCH = 7, 16


class Baseline(nn.Module):
    """SVDNet with pooling after the non-linearity, excerpt by excerpt."""

    def __init__(self) -> None:
        super().__init__()
        leaky = nn.LeakyReLU(0.01)
        lower = [nn.Conv2d(1, 64, 3), leaky, nn.Conv2d(64, 32, 3), leaky, nn.MaxPool2d(3)]
        upper = [nn.Conv2d(32, 128, 3), leaky, nn.Conv2d(128, 64, 3), leaky, nn.MaxPool2d(3), nn.Flatten()]
        dense = [nn.Dropout(), nn.Linear(4928, 256), leaky, nn.Dropout(), nn.Linear(256, 64), leaky, nn.Dropout()]
        self.layers = nn.Sequential(*lower, *upper, *dense, nn.Linear(64, 1))

    def strip_logits(self, excerpts: Tensor) -> Tensor:
        return self.layers(excerpts[:, None])


def update(network: nn.Module, excerpts: int, strip: int = 1):
    """A function that makes one update on so many strips."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.95, nesterov=True)
    logmel, vocal = torch.randn(excerpts, 115 + 9 * (strip - 1), 80), torch.rand(excerpts, strip).round()

    def step() -> None:
        optimizer.zero_grad()
        binary_cross_entropy_with_logits(network.strip_logits(logmel), vocal).backward()
        optimizer.step()

    return step


def rows() -> list[Row]:
    baseline = update(Baseline(), 32)
    ours, theirs = in_turn(update(SVDNet(), 32), baseline, times=2)
    strips, alone = in_turn(update(SVDNet(), BATCH, STRIP), baseline, times=2)
    strips, alone = strips / (BATCH * STRIP), alone / 32
    return [
        Row("SVDNet, one update with batch size 32", milliseconds(ours, 0), milliseconds(theirs, 0), theirs / ours,
            "at least 2.5"),
        Row(f"SVDNet, per excerpt of an update in strips of {STRIP} (augment.strip={STRIP}); baseline: of 32 excerpts",
            milliseconds(strips), milliseconds(alone), alone / strips, "at least 2.5"),
    ]  # fmt: skip
