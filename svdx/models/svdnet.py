"""SVDNet: the singing-voice detector of Schlüter and Grill (ISMIR 2015)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from svdx.errors import ConfigError

SMALLEST = 25  # frames and bands: what leaves 1 after two convolutions and a pooling, twice
LEAK = 0.01
BLOCK = 1024  # frames of a track that go through the convolutions at once


class SVDNet(nn.Module):
    """Convolutional network from a log-mel excerpt to the probability that somebody sings at its centre.

    conv 64 – conv 32 – max-pool 3 – conv 128 – conv 64 – max-pool 3 – fc7 256 – fc8 64 – fc9 1; 1 408 225 parameters.
    What must travel with the weights are buffers: `mean` and `std` per band (standardisation) and the decision
    `threshold`. All methods but `standardise` take *standardised* excerpts.

    Shape:
        excerpts [B, frames, bands] → probability [B]

    >>> SVDNet()(torch.zeros(2, 115, 80)).shape
    torch.Size([2])
    """

    n_features = 64

    def __init__(self, frames: int = 115, bands: int = 80) -> None:
        super().__init__()
        if min(frames, bands) < SMALLEST:
            raise ConfigError(f"frontend: SVDNet hears {SMALLEST} frames and bands at least, not {frames} and {bands}")
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
            nn.init.zeros_(layer.bias)
        self.to(memory_format=torch.channels_last)  # a quarter faster on a CPU

    def layers(self) -> tuple[nn.Module, ...]:
        """The layers that hold weights, in the order of the original program's file."""
        return (self.conv1, self.conv2, self.conv4, self.conv5, self.fc7, self.fc8, self.fc9)

    def standardise(self, logmel: Tensor) -> Tensor:
        """log-mel [..., bands] → zero mean and unit deviation per band, by the training tracks' statistics."""
        return (logmel - self.mean) / self.std

    def pooled(self, excerpts: Tensor) -> Tensor:
        """excerpts [B, frames, bands] → mp6 [B, 64, 11, 7].

        Pooling comes before the non-linearity: it is monotone, so the result is the same at a ninth of the work.
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
        return self._describe(self.pooled(excerpts).flatten(1))

    def features_at(self, track: Tensor, starts: Tensor, layer: str = "fc8") -> Tensor:
        """track [T, bands] → FC8 [N, 64], or FC7 [N, 256], of its excerpts that begin at frames `starts` [N].

        The same as excerpt by excerpt, but overlapping excerpts share their convolutions: excerpts whose first frames
        are equal modulo 3 share them up to the second pooling, modulo 9 altogether.
        """
        features = track.new_empty(len(starts), getattr(self, layer).out_features)
        block = torch.div(starts, BLOCK, rounding_mode="floor")
        for number in block.unique():
            here = (block == number).nonzero()[:, 0]
            first = number * BLOCK
            piece = track[first : first + BLOCK + self.frames - 1]
            features[here] = self._features_of_block(piece, starts[here] - first, layer)
        return features

    def _features_of_block(self, block: Tensor, starts: Tensor, layer: str) -> Tensor:
        describe = {"fc7": self._hidden, "fc8": self._describe}[layer]
        features = block.new_empty(len(starts), getattr(self, layer).out_features)
        lower = self._lower(block[None])
        for third in (starts % 3).unique():
            upper = self._upper(self._pool(lower[:, :, third:]))
            for ninth in torch.arange(third, 9, 3):
                here = (starts % 9 == ninth).nonzero()[:, 0]
                if len(here):
                    rows = self._pool(upper[:, :, ninth // 3 :])[0].unfold(1, self.rows, 1)[:, starts[here] // 9]
                    features[here] = describe(rows.permute(1, 0, 3, 2).flatten(1))
        return features

    def _describe(self, pooled: Tensor) -> Tensor:
        return F.leaky_relu(self.fc8(F.dropout(self._hidden(pooled), 0.5, self.training)), LEAK)

    def _hidden(self, pooled: Tensor) -> Tensor:
        return F.leaky_relu(self.fc7(F.dropout(pooled, 0.5, self.training)), LEAK)

    def logits(self, excerpts: Tensor) -> Tensor:
        """excerpts [B, frames, bands] → log-odds of singing [B]."""
        return self.strip_logits(excerpts).squeeze(1)

    def strip_logits(self, strips: Tensor) -> Tensor:
        """strips [B, frames + 9 k, bands] → log-odds of singing [B, k + 1] for the excerpts from frames 0, 9, … 9 k.

        The same as excerpt by excerpt, but overlapping excerpts share their convolutions.
        """
        excerpts = self.pooled(strips).unfold(2, self.rows, 1)
        features = self._describe(excerpts.permute(0, 2, 1, 4, 3).flatten(2))
        return self.fc9(F.dropout(features, 0.5, self.training)).squeeze(2)

    def decide(self, features: Tensor) -> Tensor:
        """FC8 [B, 64] → probability of singing [B]."""
        return torch.sigmoid(self.fc9(F.dropout(features, 0.5, self.training)).squeeze(1))

    def forward(self, excerpts: Tensor) -> Tensor:
        """excerpts [B, frames, bands] → probability of singing [B]."""
        return torch.sigmoid(self.logits(excerpts))
