"""Apply a mask over a log-mel to the sound, at the sound's own sample rate and in each of its channels."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from svdx.audio.logmel import BLOCK_FRAMES, FrontEnd


def masked_sound(
    samples: Tensor,
    mask: Tensor,
    frontend: FrontEnd,
    sample_rate: int | None = None,
    span: slice | None = None,
) -> Tensor:
    """The part of a sound that a mask over its log-mel keeps, with the phase of the sound itself.

    Each frame's spectrum is multiplied by gains. Window and hop last as long as the front end's, rounded to samples of
    the sound's rate. A frame's gains are the mask's at the time of the frame's centre; a bin's are those of the bands
    at its frequency. Frames across the span's borders use the sound beyond them and the gains of the nearest frame of
    the mask, so that cutting adds no click. Beyond the sound itself there is silence.

    samples: [..., N]
    mask: [frames, n_bands] in [0, 1], 1 = kept, for the frames that the front end computes from the span
    sample_rate: of the samples, in Hz; None: the front end's
    span: the n of the N samples to return; None: all

    Returns: [..., n] in the dtype of samples. An all-ones mask returns the samples, and the parts that a mask and its
    complement keep sum to them: overlap-add weighted by the squared window and divided by its sum (Griffin and Lim,
    1984, equation 6).
    Raises: ValueError if the mask has another number of frames.
    """
    start, end = (span.start, span.stop) if span else (0, samples.shape[-1])
    n, rate = end - start, sample_rate or frontend.sample_rate
    expected = frontend.n_frames(-(-n * frontend.sample_rate // rate))
    if len(mask) != expected:
        raise ValueError(f"{len(mask)} frames of mask for {expected} frames of sound")
    length = 2 * round(frontend.frame_length / 2 * rate / frontend.sample_rate)  # even, since odd FFTs are slow
    hop = round(frontend.hop * rate / frontend.sample_rate)
    before = -(-length // hop)  # number of earlier frames that reach a sample
    n_hops = -(-n // hop)
    padded = _padded_span(samples, start - before * hop, start + (n_hops - 1) * hop + length)
    shares, kept = _shares_at(rate, length, frontend), samples.new_empty(*samples.shape[:-1], n_hops * hop)
    for first in range(0, n_hops, BLOCK_FRAMES):
        begins = torch.arange(first - before, min(first + BLOCK_FRAMES, n_hops), dtype=torch.float64) * hop
        centres = (begins + length / 2) * frontend.sample_rate / rate  # in the front end's samples
        gains = interpolated(mask, (centres - frontend.frame_length / 2) / frontend.hop).double() @ shares.T
        here = padded[..., first * hop : (first + len(begins) - 1) * hop + length].double()
        kept[..., first * hop : (first + BLOCK_FRAMES) * hop] = _filtered(here, gains, hop, before)
    return kept[..., :n]


def _filtered(samples: Tensor, gains: Tensor, hop: int, before: int) -> Tensor:
    """Multiply the spectra of the frames of samples [..., n] by gains [frames, bins] and overlap-add them.

    Returns: [..., (frames - before) · hop], without the first `before` hops, which earlier frames would reach too
    """
    length, complete = 2 * (gains.shape[1] - 1), slice(before * hop, len(gains) * hop)
    window = torch.hann_window(length, periodic=False, dtype=samples.dtype)
    frames = torch.fft.rfft(samples.unfold(-1, length, hop) * window) * gains
    total = overlap_add(torch.fft.irfft(frames, length) * window, hop)
    weight = overlap_add((window**2).expand(len(gains), -1), hop)
    return total[..., complete] / weight[complete]


def _padded_span(samples: Tensor, start: int, end: int) -> Tensor:
    """samples[..., start:end], padded with zeros beyond the samples, [..., end - start]."""
    n = samples.shape[-1]
    return F.pad(samples[..., max(0, start) : min(n, end)], (max(0, -start), max(0, end - n)))


def _shares_at(rate: int, length: int, frontend: FrontEnd) -> Tensor:
    """`bin_shares` for the bins of a transform of `length` samples at another rate, [length // 2 + 1, n_bands]."""
    bins = torch.arange(length // 2 + 1).double() * (rate * frontend.frame_length) / (length * frontend.sample_rate)
    return interpolated(bin_shares(frontend.filterbank), bins)


def bin_shares(filterbank: Tensor) -> Tensor:
    """Share of each mel band in the gain of each STFT bin: `mask @ shares.T` are the gains of the bins.

    filterbank: [bins, n_bands] → shares: [bins, n_bands], the filters' heights scaled to sum to 1 for each bin. Bins
    below the first band follow the first band, bins above the last follow the last.
    """
    shares = filterbank.clone()
    first, last = (shares.sum(1) > 0).nonzero()[[0, -1], 0].tolist()
    shares[:first, 0] = 1
    shares[last + 1 :, -1] = 1
    empty = shares.sum(1) == 0
    shares[empty] = shares[empty.roll(-1)]
    return shares / shares.sum(1, keepdim=True)


def interpolated(rows: Tensor, positions: Tensor) -> Tensor:
    """Linear interpolation between rows [n, m] at positions [N] → [N, m]; beyond the ends, the nearest row.

    >>> interpolated(torch.tensor([[0.0], [10.0]]), torch.tensor([-1.0, 0.25, 7.0])).T
    tensor([[ 0.0000,  2.5000, 10.0000]])
    """
    positions = positions.clamp(0, len(rows) - 1)
    lower = positions.long()
    upper = (lower + 1).clamp(max=len(rows) - 1)
    return torch.lerp(rows[lower], rows[upper], (positions - lower).to(rows.dtype)[:, None])


def overlap_add(frames: Tensor, hop: int) -> Tensor:
    """Sum frames [..., n_frames, length] placed hop samples apart → [..., (n_frames - 1) · hop + length]."""
    n_frames, length = frames.shape[-2:]
    columns, total = frames.reshape(-1, n_frames, length).mT, (n_frames - 1) * hop + length
    folded = F.fold(columns, output_size=(1, total), kernel_size=(1, length), stride=(1, hop))
    return folded.reshape(*frames.shape[:-2], total)
