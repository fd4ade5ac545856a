"""SVDNet: the singing-voice detector of Schlüter and Grill (ISMIR 2015)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from svdx.schema.checks import checked

Size = Annotated[int, Field(ge=25)]  # frames and bands: two convolutions and a pooling, twice, leave 1 of 25
LEAK = 0.01
BLOCK = 1024  # frames of a track that pass through the convolutions at once


@checked
class SVDNet(nn.Module):
    """Convolutional network from a log-mel excerpt to the probability of singing at its centre.

    conv 64 – conv 32 – max-pool 3 – conv 128 – conv 64 – max-pool 3 – fc7 256 – fc8 64 – fc9 1; 1 408 225 parameters.
    The buffers `mean` and `std` [bands] (standardisation) and `threshold` (decision) are saved with the weights. All
    methods but `standardise` take *standardised* excerpts.

    Shape:
        excerpts [B, frames, bands] → probability [B]

    >>> SVDNet()(torch.zeros(2, 115, 80)).shape
    torch.Size([2])
    """

    n_features = 64
    mean: Tensor
    std: Tensor
    threshold: Tensor

    def __init__(self, frames: Size = 115, bands: Size = 80) -> None:
        super().__init__()
        self.frames, self.bands = frames, bands
        self.conv1, self.conv2 = nn.Conv2d(1, 64, 3), nn.Conv2d(64, 32, 3)
        self.conv4, self.conv5 = nn.Conv2d(32, 128, 3), nn.Conv2d(128, 64, 3)
        self.rows, columns = (((size - 4) // 3 - 4) // 3 for size in (frames, bands))
        self.fc7 = nn.Linear(64 * self.rows * columns, 256)
        self.fc8 = nn.Linear(256, self.n_features)
        self.fc9 = nn.Linear(self.n_features, 1)
        self.register_buffer("mean", torch.zeros(bands))
        self.register_buffer("std", torch.ones(bands))
        self.register_buffer("threshold", torch.tensor(0.5))
        for layer in self.layers():
            nn.init.orthogonal_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster on a CPU

    def layers(self) -> tuple[nn.Conv2d | nn.Linear, ...]:
        """The layers with weights, in the order of the original program's file."""
        return (self.conv1, self.conv2, self.conv4, self.conv5, self.fc7, self.fc8, self.fc9)

    def standardise(self, logmel: Tensor) -> Tensor:
        """log-mel [..., bands] → (log-mel − mean) / std, by the training tracks' statistics of each band."""
        return (logmel - self.mean) / self.std

    def pooled(self, excerpts: Tensor) -> Tensor:
        """excerpts [B, frames, bands] → mp6 [B, 64, 11, 7].

        Pooling comes before the non-linearity, which is monotone: the same result at a ninth of the work.
        """
        return self._pool(self._upper(self._pool(self._lower(excerpts))))

    def _lower(self, excerpts: Tensor) -> Tensor:
        return self.conv2(F.leaky_relu_(self.conv1(excerpts[:, None]), LEAK))

    def _upper(self, pooled: Tensor) -> Tensor:
        return self.conv5(F.leaky_relu_(self.conv4(pooled), LEAK))

    def _pool(self, maps: Tensor) -> Tensor:
        return F.leaky_relu_(F.max_pool2d(maps, 3), LEAK)

    def features(self, excerpts: Tensor) -> Tensor:
        """excerpts [B, frames, bands] → FC8 after its non-linearity [B, 64]."""
        return self._fc8(self.pooled(excerpts).flatten(1))

    def features_at(self, track: Tensor, starts: Tensor, layer: str = "fc8") -> Tensor:
        """track [T, bands] → FC8 [N, 64], or FC7 [N, 256], of its excerpts that begin at frames `starts` [N].

        Equal to the features of the single excerpts, but overlapping excerpts share their convolutions.
        """
        dense = {"fc7": self._fc7, "fc8": self._fc8}[layer]
        features = track.new_empty(len(starts), getattr(self, layer).out_features)
        block_of = starts // BLOCK
        for block in block_of.unique():
            in_block = (block_of == block).nonzero()[:, 0]
            first = block * BLOCK
            piece = track[first : first + BLOCK + self.frames - 1]
            for selected, pooled in self._pooled_at(piece, starts[in_block] - first):
                features[in_block[selected]] = dense(pooled)
        return features

    def _pooled_at(self, track: Tensor, starts: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yields (indices of starts [n], their excerpts' mp6 [n, 4928]), once for each value of starts modulo 9.

        An excerpt's pooling windows begin at its first frame. Excerpts therefore share the convolutions below the
        first pooling (mp3) in any case, those between the poolings if their starts are equal modulo 3, and the second
        pooling (mp6) if they are equal modulo 9.
        """
        conv2, phases = self._lower(track[None]), starts % 9
        for shift in (starts % 3).unique().tolist():
            conv5 = self._upper(self._pool(conv2[:, :, shift:]))
            for phase in range(shift, 9, 3):
                selected = (phases == phase).nonzero()[:, 0]
                if len(selected):
                    mp6 = self._pool(conv5[:, :, phase // 3 :])[0]  # [64, frames / 9, 7]
                    excerpts = mp6.unfold(1, self.rows, 1)[:, starts[selected] // 9]  # [64, n, 7, rows]
                    yield selected, excerpts.permute(1, 0, 3, 2).flatten(1)

    def _fc8(self, pooled: Tensor) -> Tensor:
        return F.leaky_relu(self.fc8(F.dropout(self._fc7(pooled), 0.5, self.training)), LEAK)

    def _fc7(self, pooled: Tensor) -> Tensor:
        return F.leaky_relu(self.fc7(F.dropout(pooled, 0.5, self.training)), LEAK)

    def logits(self, excerpts: Tensor) -> Tensor:
        """excerpts [B, frames, bands] → log-odds of singing [B]."""
        return self.strip_logits(excerpts).squeeze(1)

    def strip_logits(self, strips: Tensor) -> Tensor:
        """strips [B, frames + 9 k, bands] → log-odds of singing [B, k + 1] for the excerpts from frames 0, 9, … 9 k.

        Equal to the log-odds of the single excerpts, but overlapping excerpts share their convolutions.
        """
        excerpts = self.pooled(strips).unfold(2, self.rows, 1)
        features = self._fc8(excerpts.permute(0, 2, 1, 4, 3).flatten(2))
        return self.fc9(F.dropout(features, 0.5, self.training)).squeeze(2)

    def decide(self, features: Tensor) -> Tensor:
        """FC8 [B, 64] → probability of singing [B]."""
        return torch.sigmoid(self.fc9(F.dropout(features, 0.5, self.training)).squeeze(1))

    def forward(self, excerpts: Tensor) -> Tensor:
        """excerpts [B, frames, bands] → probability of singing [B]."""
        return torch.sigmoid(self.logits(excerpts))
