"""Data augmentation for SVDNet's training (Schlüter and Grill, ISMIR 2015), on batches and on their device.

Stages are pure functions of tensors; `Augment` draws random parameters and chains the stages. Time stretching and
pitch shifting interpolate magnitude spectra linearly, where the original uses splines of order two. Linear
interpolation is a matrix, so that pitch shift and mel filterbank combine into one matrix.
"""

from __future__ import annotations

import copy
import math
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from svdx.audio.logmel import FrontEnd
from svdx.schema.checks import checked
from svdx.schema.types import PositiveInt

Change = Annotated[float, Field(ge=0, lt=1)]  # relative
LOWEST_CENTRE = 150.0  # Hz, of the random filter
SHIFT_STEP = 0.005
STRIP_HOP = 9  # frames: excerpts at this distance share all of SVDNet's convolutions
FILTER_WIDTH = (5.0, 2.0)  # semitones: mean and deviation of the random filter's width


def interpolation(positions: Tensor, size: int) -> Tensor:
    """Matrix that interpolates a signal linearly at fractional positions; the signal is zero outside.

    positions: [B, n], in samples of the signal → [B, n, size]
    """
    return (1 - (positions[..., None] - torch.arange(size, device=positions.device)).abs()).clamp_min(0)


def stretched_frames(stretch: Tensor, n_frames: int, frames: int) -> Tensor:
    """Positions of output frames in n_frames input frames that are stretched around their middle.

    stretch: [B] → [B, frames]
    """
    middle = 0.5 * (n_frames - frames / stretch[:, None])
    return middle + torch.arange(frames, device=stretch.device) / stretch[:, None]


def shifted_filterbank(filterbank: Tensor, shift: Tensor) -> Tensor:
    """Filterbanks that include a pitch shift of the spectrum, which is zero above its last bin.

    filterbank: [bins, bands]; shift: frequency ratio, [S] → [S, bins, bands]
    """
    n_bins = len(filterbank)
    sources = torch.arange(n_bins, device=shift.device) / shift[:, None]
    return interpolation(sources, n_bins).to(filterbank.dtype).mT @ filterbank


def filter_response(centre: Tensor, width: Tensor, strength: Tensor, frequencies: Tensor) -> Tensor:
    """Gains of a Gaussian filter over linear frequency.

    centre: [B] in Hz; width: [B] in semitones; strength: [B] in dB; frequencies: [K] in Hz → [B, K]
    """
    deviation = centre * (2 ** (width / 12) - 1)
    bell = torch.exp(-0.5 * ((frequencies - centre[:, None]) / deviation[:, None]) ** 2)
    return 10 ** (strength[:, None] * bell / 20)


@checked
class Augment(nn.Module):
    """Random time stretch, pitch shift and frequency filter on the way from samples to log-mel.

    max_stretch, max_shift: greatest relative change, 0.3 = ±30 %. Shifts are multiples of 0.5 %, so that the shifted
        filterbanks can be computed once
    max_db: greatest gain or loss of the filter
    strip: number of excerpts cut as one, STRIP_HOP frames apart

    Spectra are computed in float32, whereas cached log-mels are computed in float64.

    Shape:
        samples [B, frontend.n_samples(window)], labels of their frames [B, window]
        → log-mel [B, excerpt_frames + (strip - 1) STRIP_HOP, bands], labels of the excerpts' middle frames [B, strip]
    """

    filterbank: Tensor  # [bins, bands]
    shifted: Tensor  # [shifts, bins, bands]
    frequencies: Tensor  # of the bins, in Hz

    def __init__(
        self, frontend: FrontEnd, max_stretch: Change, max_shift: Change, max_db: float, strip: PositiveInt = 1
    ) -> None:
        super().__init__()
        self.frames = frontend.excerpt_frames + (strip - 1) * STRIP_HOP
        self.centres = frontend.excerpt_frames // 2 + STRIP_HOP * torch.arange(strip)
        self.frontend = copy.deepcopy(frontend)  # a copy, since it moves to the training device
        self.max_stretch, self.max_db = max_stretch, max_db
        shifts = 1 + torch.linspace(-max_shift, max_shift, 2 * round(max_shift / SHIFT_STEP) + 1)
        filterbank = frontend.filterbank.float()
        self.register_buffer("filterbank", filterbank)
        self.register_buffer("shifted", torch.cat([shifted_filterbank(filterbank, s) for s in shifts.split(8)]))
        bin_width = frontend.sample_rate / frontend.frame_length
        self.register_buffer("frequencies", torch.arange(len(filterbank)) * bin_width)

    @property
    def window(self) -> int:
        """Input frames per excerpt, enough for the strongest compression."""
        return math.ceil(self.frames / (1 - self.max_stretch))

    def forward(self, samples: Tensor, vocal: Tensor) -> tuple[Tensor, Tensor]:
        n, device = len(samples), samples.device
        spectrum = self.frontend.spectrum(samples)
        shifted = self.shifted[torch.randint(len(self.shifted), (n,), device=device)]
        stretch = 1 + self.max_stretch * (torch.rand(n, device=device) * 2 - 1)
        frames = stretched_frames(stretch, spectrum.shape[1], self.frames)
        mel = interpolation(frames, spectrum.shape[1]) @ (spectrum @ shifted)
        middles = frames[:, self.centres].round().long()
        return self.frontend.log(mel) + self._random_filter(n)[:, None], vocal.gather(1, middles)

    def _random_filter(self, n: int) -> Tensor:
        """Log gains of random filters for n excerpts, [n, bands]."""
        device = self.frequencies.device
        octaves = math.log2(self.frontend.f_max / LOWEST_CENTRE)
        response = filter_response(
            centre=LOWEST_CENTRE * 2 ** (torch.rand(n, device=device) * octaves),
            width=FILTER_WIDTH[0] + FILTER_WIDTH[1] * torch.randn(n, device=device),
            strength=self.max_db * (torch.rand(n, device=device) * 2 - 1),
            frequencies=self.frequencies,
        )
        return (response @ self.filterbank).log()
