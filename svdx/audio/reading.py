"""Reading audio files: decode, mix to mono, resample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import soxr
import torch
from torch import Tensor, nn

from svdx.audio.downmix import weights
from svdx.audio.levels import Levels
from svdx.audio.probe import open_sound
from svdx.errors import AudioError

PIECE = 1 << 17  # samples that are made at a time, so that they fit the processor's cache
TABLE = 1 << 20  # the most entries (source samples × result samples of a cycle) of a table of resampling filters
FILTER = 8  # samples of the lower rate that torchaudio's filter, six zero crossings to a side, reaches at most


@dataclass(frozen=True)
class Sound:
    """Decoded audio.

    samples: [channels, n], float32, full scale = 1
    rate: in Hz
    weights: of the channels in the mix to mono, see `svdx.audio.downmix`; empty: their mean
    """

    samples: Tensor
    rate: int
    weights: tuple[float, ...] = ()

    def mono(self, sample_rate: int, span: slice | None = None) -> Tensor:
        """The mix to mono at another rate, [n]. span: samples of the result to compute; None: all."""
        if span is None:
            return resample(mix_to_mono(self.samples, self.weights), self.rate, sample_rate)
        return mix_to_mono(resample_span(self.samples, self.rate, sample_rate, span), self.weights)

    def length(self, sample_rate: int) -> int:
        """The number of samples of `mono(sample_rate)`."""
        return resampled_length(self.samples.shape[1], self.rate, sample_rate)

    def source_span(self, span: slice, sample_rate: int) -> slice:
        """The samples that cover a span of `mono(sample_rate)`."""
        end = -(-span.stop * self.rate // sample_rate)
        return slice(span.start * self.rate // sample_rate, min(end, self.samples.shape[1]))

    def cut(self, span: slice) -> Sound:
        """The sound of a span of samples."""
        return replace(self, samples=self.samples[:, span])


def mix_to_mono(samples: Tensor, weights: Sequence[float] = ()) -> Tensor:
    """Weighted sum of the channels, [channels, n] → [n]; their mean if there are no weights."""
    if len(samples) == 1:
        return samples[0]
    return samples.new_tensor(weights or [1 / len(samples)] * len(samples)) @ samples


def decode(path: str | Path, sample_rate: int, number: int | None = None) -> Tensor:
    """Read an audio file as mono at a sample rate, [n]. number, errors: see `read`."""
    return read(path, mono=True, number=number).mono(sample_rate)


def read(path: str | Path, mono: bool = False, number: int | None = None) -> Sound:
    """Read an audio file.

    mono: mix the channels while reading, which saves time and memory
    number: the audio stream to read, counted from 0; None: the default one

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
        file.expect_complete(levels.n)
        levels.expect_sound(path)
        return Sound(torch.cat(blocks, dim=1), file.rate, () if mono else shares)


def declared_length(path: str | Path, sample_rate: int) -> int:
    """The number of samples that `decode` should return, without decoding: by the header, which may be wrong, or
    by counting packets, exact to a packet.

    Raises: AudioError if the file is missing or not audio.
    """
    with open_sound(path) as file:
        return resampled_length(file.length(), file.rate, sample_rate)


def resampled_length(n: int, source_rate: int, sample_rate: int) -> int:
    """The number of samples that `resample` makes of n."""
    return -(-n * sample_rate // source_rate)


def resample(samples: Tensor, source_rate: int, sample_rate: int) -> Tensor:
    """Band-limited resampling along the last axis. samples: [..., n] → [..., ceil(n · sample_rate / source_rate)]."""
    n = resampled_length(samples.shape[-1], source_rate, sample_rate)
    piece = max(PIECE, 500 * sample_rate // math.gcd(source_rate, sample_rate))  # torchaudio makes a filter per piece
    spans = [slice(first, min(first + piece, n)) for first in range(0, n, piece)]
    if source_rate == sample_rate or not spans:
        return samples
    return torch.cat([resample_span(samples, source_rate, sample_rate, span) for span in spans], -1)


def resample_span(samples: Tensor, source_rate: int, sample_rate: int, span: slice) -> Tensor:
    """`resample(samples, …)[..., span]`, computed from the samples around the span only.

    After `ours` samples of the source and `theirs` of the result, both coincide again: a cycle. The samples around the
    span begin and end with a cycle, so that results fall on the same moments as those of all samples.
    """
    if source_rate == sample_rate:
        return samples[..., span]
    common = math.gcd(source_rate, sample_rate)
    ours, theirs = source_rate // common, sample_rate // common
    reach = math.ceil(FILTER * max(1, ours / theirs) / ours)
    first, end = max(0, span.start // theirs - reach), -(-span.stop // theirs) + reach
    around = samples[..., first * ours : end * ours]
    if not around.shape[-1]:
        return around
    if ours * theirs > TABLE:
        resampled = _by_soxr(around, source_rate, sample_rate)
    else:
        from torchaudio.functional import resample as by_torchaudio  # lazily: torchaudio 2.11 is its last release

        resampled = by_torchaudio(around, source_rate, sample_rate)
    length = resampled_length(around.shape[-1], source_rate, sample_rate)  # torchaudio rounds it to float32
    resampled = nn.functional.pad(resampled, (0, length - resampled.shape[-1]))
    return resampled[..., span.start - first * theirs : span.stop - first * theirs]


def _by_soxr(samples: Tensor, source_rate: int, sample_rate: int) -> Tensor:
    """samples [..., n] at another rate. soxr interpolates its filter, where torchaudio would tabulate one for each of
    the `theirs` phases: 8 GB from 44 101 to 22 050 Hz."""
    columns = samples.reshape(-1, samples.shape[-1]).T.contiguous().numpy()
    resampled = torch.from_numpy(soxr.resample(columns, source_rate, sample_rate))
    return resampled.T.reshape(*samples.shape[:-1], -1)
