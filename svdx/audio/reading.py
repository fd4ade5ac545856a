"""From an audio file to samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from svdx.audio.downmix import weights
from svdx.audio.levels import Levels
from svdx.audio.probe import open_sound
from svdx.errors import AudioError

RESAMPLED = 1 << 17  # samples that are made at a time, so that they stay in the processor's cache
TABLE = 1 << 20  # entries of a table of resampling filters
FILTER = 8  # samples of the lower rate, beyond which the resampling filter, six zero crossings to a side, hears nothing


@dataclass(frozen=True)
class Sound:
    """What an audio file holds. samples: [channels, n], float32, full scale = 1; rate: in Hz; weights: of each channel
    in the mix to one, see `svdx.audio.downmix`; none: their mean."""

    samples: Tensor
    rate: int
    weights: tuple[float, ...] = ()

    def mono(self, sample_rate: int, span: slice | None = None) -> Tensor:
        """The mix of the channels at another rate, [n], or a span of it, without the work for the rest."""
        if span is None:
            return resample(mix_to_mono(self.samples, self.weights), self.rate, sample_rate)
        return mix_to_mono(resample_span(self.samples, self.rate, sample_rate, span), self.weights)

    def length(self, sample_rate: int) -> int:
        """How many samples `mono(sample_rate)` has."""
        return resampled_length(self.samples.shape[1], self.rate, sample_rate)

    def source_span(self, span: slice, sample_rate: int) -> slice:
        """Which samples lie under a span of `mono(sample_rate)`, outwards to whole ones."""
        end = -(-span.stop * self.rate // sample_rate)
        return slice(span.start * self.rate // sample_rate, min(end, self.samples.shape[1]))

    def cut(self, span: slice) -> Sound:
        """Some of the samples."""
        return replace(self, samples=self.samples[:, span])


def mix_to_mono(samples: Tensor, weights: Sequence[float] = ()) -> Tensor:
    """The channels weighted and summed, [channels, n] → [n]; their mean without weights."""
    if len(samples) == 1:
        return samples[0]
    return samples.new_tensor(weights or [1 / len(samples)] * len(samples)) @ samples


def decode(path: str | Path, sample_rate: int, number: int | None = None) -> Tensor:
    """An audio file's `mono(sample_rate)`, samples [n]. number: see `read`. Raises: AudioError as `read` does."""
    return read(path, mono=True, number=number).mono(sample_rate)


def read(path: str | Path, mono: bool = False, number: int | None = None) -> Sound:
    """Read an audio file. mono: its channels mixed to one, in less time and memory; number: which of several sounds in
    it, from 0; None: the default one.

    Raises: AudioError if the file is missing, not audio, truncated, empty, silent, not finite or of another scale, or
    if its channels cancel each other.
    """
    with open_sound(path, number) as file:
        shares = weights(file.positions)
        levels, blocks = Levels(shares), []
        for block in file.blocks():
            levels.add(block)
            samples = torch.from_numpy(block)
            blocks.append(mix_to_mono(samples, shares)[None] if mono else samples)
        if not levels.n:
            raise AudioError(f"{path}: holds no samples")
        file.expect_whole(levels.n)
        levels.expect_sound(path)
        return Sound(torch.cat(blocks, dim=1), file.rate, () if mono else shares)


def promised_length(path: str | Path, sample_rate: int) -> int:
    """How many samples `decode` should give, without decoding; by a header that may be mistaken, or to a packet exact.

    Raises: AudioError if the file is missing or not audio.
    """
    with open_sound(path) as file:
        return resampled_length(file.length(), file.rate, sample_rate)


def resampled_length(n: int, source_rate: int, sample_rate: int) -> int:
    """How many samples `resample` makes of n."""
    return -(-n * sample_rate // source_rate)


def resample(samples: Tensor, source_rate: int, sample_rate: int) -> Tensor:
    """Band-limited resampling along the last axis. samples: [..., n] → [..., ceil(n · sample_rate / source_rate)]."""
    n = resampled_length(samples.shape[-1], source_rate, sample_rate)
    piece = max(RESAMPLED, 500 * sample_rate // math.gcd(source_rate, sample_rate))  # each piece makes its filter anew
    spans = [slice(first, min(first + piece, n)) for first in range(0, n, piece)]
    if source_rate == sample_rate or not spans:
        return samples
    return torch.cat([resample_span(samples, source_rate, sample_rate, span) for span in spans], -1)


def resample_span(samples: Tensor, source_rate: int, sample_rate: int, span: slice) -> Tensor:
    """A span of what `resample` gives, without resampling the rest."""
    if source_rate == sample_rate:
        return samples[..., span]
    if not _has_cycle(source_rate, sample_rate):
        return _span_without_cycle(samples, source_rate, sample_rate, span)
    from torchaudio.functional import resample as sinc_resample  # here only: torchaudio 2.11 is its last release

    common = math.gcd(source_rate, sample_rate)
    ours, theirs = source_rate // common, sample_rate // common  # samples of a cycle, which is equally long in both
    reach = math.ceil(FILTER * max(1, ours / theirs) / ours)
    first, end = max(0, span.start // theirs - reach), -(-span.stop // theirs) + reach
    around = samples[..., first * ours : end * ours]
    if not around.shape[-1]:
        return around
    resampled = sinc_resample(around, source_rate, sample_rate)
    length = resampled_length(around.shape[-1], source_rate, sample_rate)  # torchaudio rounds it to float32
    resampled = nn.functional.pad(resampled, (0, length - resampled.shape[-1]))
    return resampled[..., span.start - first * theirs : span.stop - first * theirs]


def _has_cycle(source_rate: int, sample_rate: int) -> bool:
    """Do the rates' samples fall together often enough for a table with a filter for each place between two times?

    44 101 and 22 050 Hz would need a table of 8 GB.
    """
    return source_rate * sample_rate // math.gcd(source_rate, sample_rate) ** 2 <= TABLE


def _span_without_cycle(samples: Tensor, source_rate: int, sample_rate: int, span: slice) -> Tensor:
    """The same by torchaudio's formula, a filter made for each sample: sinc under a Hann window, 6 zero crossings wide,
    cut off at 0.99 of the lower rate's half."""
    cutoff = 0.99 * min(source_rate, sample_rate) / source_rate  # zero crossings a sample of ours
    wide = math.ceil(6 / cutoff)
    stop, piece = min(span.stop, resampled_length(samples.shape[-1], source_rate, sample_rate)), TABLE // wide
    resampled, around = [samples[..., :0]], np.arange(-wide, wide + 1)
    for first in range(span.start, stop, piece):
        places = np.arange(first, min(first + piece, stop)) * source_rate
        before, part = places // sample_rate, places % sample_rate / sample_rate  # where each lies between ours
        distance = cutoff * (around - part[:, None])
        window = np.cos(np.pi / 12 * distance.clip(-6, 6)) ** 2
        filters = torch.from_numpy((cutoff * np.sinc(distance) * window).astype(np.float32))
        first_heard = int(before[0]) - wide
        heard = _between(samples, first_heard, int(before[-1]) + wide + 1)
        numbers = torch.from_numpy(before[:, None] + around - first_heard)
        resampled.append((heard[..., numbers] * filters).sum(-1))
    return torch.cat(resampled, -1)


def _between(samples: Tensor, first: int, end: int) -> Tensor:
    """A span of samples, with zeros for what lies before and behind them."""
    there = samples[..., max(first, 0) : end]
    return nn.functional.pad(there, (max(-first, 0), end - max(first, 0) - there.shape[-1]))
