"""FC8 features of overlapping excerpts: convolutions shared over a track, against excerpt by excerpt."""

from __future__ import annotations

import torch

from benchmarks.row import Row, arithmetic_rate, milliseconds, seconds
from svdx.models import SVDNet

FRAMES = 2048 + 114
OPERATIONS = 0.49e9  # of SVDNet per excerpt


@torch.no_grad()
def rows() -> list[Row]:
    network, track = SVDNet().eval(), torch.randn(FRAMES, 80)
    some = torch.arange(0, 2048, 37)
    alone = torch.stack([track[start : start + 115] for start in some])
    difference = (network.features_at(track, some) - network.features(alone)).abs().max()
    each = seconds(lambda: network.features(alone[:32]), times=3) / 32
    limit = OPERATIONS / arithmetic_rate()
    table = []
    for hop, target in ((1, "at least 40"), (10, "at least 5")):
        starts = torch.arange(0, 2048, hop)
        dense = seconds(lambda starts=starts: network.features_at(track, starts), times=3) / len(starts)
        what = f"FC8 every {hop} frames, per excerpt, equal to {difference:.0e}; baseline: batches of 32 excerpts"
        table.append(Row(what, milliseconds(dense, 3), milliseconds(each), each / dense, target))
    to_limit = f"{each / limit:.1f} times"
    table.append(
        Row("SVDNet's features of an excerpt; baseline: its 0.49 GFLOP as a matrix product", milliseconds(each),
            milliseconds(limit), limit / each, "", to_limit)
    )  # fmt: skip
    return table
