"""From an audio file to a log-mel picture.

The log-mel front end is that of Schlüter and Grill (ISMIR 2015): `logmel = log(mel(spectrum(samples)))`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from torch import Tensor, nn

from svdx.errors import AudioError, ConfigError

BLOCK = 1 << 16  # frames decoded at a time: a header's promise is never allocated before it is kept
HEAD = 1 << 20  # bytes in which an mp3 has its first frame
PADDING = 2304  # samples by which an mp3 may be shorter than its header says: two of its frames
STREAMED = 0x7FFFF000  # bytes
BLOCK_FRAMES = 256  # transformed at a time, so that they stay in the processor's cache


@dataclass(frozen=True)
class Sound:
    """What an audio file holds. samples: [channels, n], float32, full scale = 1; rate: in Hz."""

    samples: Tensor
    rate: int

    def mono(self, sample_rate: int) -> Tensor:
        """The mean of the channels at another rate, [n]."""
        return resample(mixed(self.samples.mT), self.rate, sample_rate)

    def under(self, span: slice, sample_rate: int) -> slice:
        """Which samples lie under a span of `mono(sample_rate)`, outwards to whole ones."""
        end = -(-span.stop * self.rate // sample_rate)
        return slice(span.start * self.rate // sample_rate, min(end, self.samples.shape[1]))

    def cut(self, span: slice) -> Sound:
        """Some of the samples."""
        return Sound(self.samples[:, span], self.rate)


def mixed(frames: Tensor) -> Tensor:
    """The mean of the channels, frames [n, channels] → [n]."""
    return frames @ frames.new_full((frames.shape[1],), 1 / frames.shape[1])


def decode(path: str | Path, sample_rate: int) -> Tensor:
    """`read(path).mono(sample_rate)` in less time and memory: samples [n]. Raises: AudioError as `read` does."""
    frames, rate = _read(path, mono=True)
    return resample(frames, rate, sample_rate)


def read(path: str | Path) -> Sound:
    """Read an audio file.

    Raises: AudioError if the file is missing, not audio, truncated, empty, silent or not finite.
    """
    frames, rate = _read(path, mono=False)
    return Sound(frames.T.contiguous(), rate)


def _read(path: str | Path, mono: bool) -> tuple[Tensor, int]:
    """The frames of an audio file, [n, channels] or, mixed, [n], and their rate."""
    path = Path(path)
    try:
        if not path.is_file():
            raise AudioError(f"{path}: no such audio file")
        if _is_no_mp3(path):
            raise _unreadable(path, "no MPEG frame in it")
        with soundfile.SoundFile(path) as file:
            promised, rate, cut_short = file.frames, file.samplerate, _is_cut_short(file.extra_info)
            blocks, finite, heard = [], True, False
            # Not `file.blocks`: that fills what a truncated mp3 lacks with whatever was in memory.
            while len(block := torch.from_numpy(file.read(BLOCK, dtype="float32", always_2d=True))):
                mix = mixed(block)
                finite, heard = finite and bool(mix.isfinite().all()), heard or bool(mix.any())
                blocks.append(mix if mono else block)
    except soundfile.SoundFileError as error:
        raise _unreadable(path, str(error).removeprefix(f"Error opening {str(path)!r}: ").strip()) from error
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error
    n = sum(map(len, blocks))
    if not n:
        raise AudioError(f"{path}: holds no samples")
    if cut_short or n < promised - PADDING:
        raise AudioError(f"{path}: truncated: its header promises more than the {n} samples that are there")
    if not finite:
        raise AudioError(f"{path}: holds samples that are not finite (NaN or infinity); export it anew")
    if not heard:
        raise AudioError(f"{path}: silent from beginning to end; there is nothing to listen to")
    return torch.cat(blocks), rate


def _unreadable(path: Path, reason: str) -> AudioError:
    return AudioError(f"{path}: not readable as audio ({reason}); wav, flac, ogg and mp3 are read")


def _is_no_mp3(path: Path) -> bool:
    """Is this text with an mp3's name, a page that was downloaded instead? No frame begins without the byte 255.

    The decoder would look for one to the end of the file and write about it to stderr.
    """
    if path.suffix.lower() != ".mp3":
        return False
    with path.open("rb") as file:
        return b"\xff" not in file.read(HEAD)


def _is_cut_short(header: str) -> bool:
    """Does a wav, aiff or au header speak of more than is there? libsndfile corrects its count and says so in its log.

    header: that log. Sizes near 2^31 and above stand in streamed files, whose writer did not know the length.
    """
    size = re.search(r"^\s*(?:data|SSND|Data Size)\s*:\s*(\d+) \(should be (\d+)\)", header, re.MULTILINE)
    return size is not None and int(size[2]) < 0.99 * int(size[1]) < STREAMED


def resample(samples: Tensor, source_rate: int, sample_rate: int) -> Tensor:
    """Band-limited resampling along the last axis. samples: [..., n] → [..., ceil(n · sample_rate / source_rate)]."""
    if source_rate == sample_rate:
        return samples
    from torchaudio.functional import resample as sinc_resample  # here only: torchaudio 2.11 is its last release

    resampled = sinc_resample(samples, source_rate, sample_rate)
    length = -(-samples.shape[-1] * sample_rate // source_rate)  # torchaudio rounds it to float32
    return nn.functional.pad(resampled, (0, length - resampled.shape[-1]))


def mel_filterbank(sample_rate: int, frame_length: int, n_bands: int, f_min: float, f_max: float) -> Tensor:
    """Triangular mel filters as the original program builds them: each sums to 1 over the bins.

    The corner frequencies are equally spaced in mel(f) = 1127 ln(1 + f/700) and snapped upwards to STFT bins; a
    slope's height is its distance from the corner in Hz over the slope's length in *bins*.

    Returns: filterbank, [frame_length // 2 + 1, n_bands], float64.
    """
    mel_min, mel_max = (1127 * math.log1p(f / 700) for f in (f_min, f_max))
    corners_hz = 700 * np.expm1(np.linspace(mel_min, mel_max, n_bands + 2) / 1127)
    bins_hz = np.linspace(0, sample_rate / 2, frame_length // 2 + 1)
    corners = np.searchsorted(bins_hz, corners_hz)
    filterbank = np.zeros((len(bins_hz), n_bands))
    for band in range(n_bands):
        left, top, right = corners[band : band + 3]
        rising, falling = slice(left, top), slice(top, right)
        filterbank[rising, band] = (bins_hz[rising] - corners_hz[band]) / (top - left)
        filterbank[falling, band] = (corners_hz[band + 2] - bins_hz[falling]) / (right - top)
    sums = filterbank.sum(axis=0)
    if not (sums > 0).all():
        raise ConfigError(f"frontend: band {int(np.argmin(sums > 0))} holds no STFT bin; use fewer bands")
    return torch.from_numpy(filterbank / sums)


class FrontEnd(nn.Module):
    """Log-mel spectrogram without centring and padding, computed in the precision of the samples given.

    The original computes in float64. With the transform in float32 quiet bins (below about -7) drift by up to 1.

    Shape:
        samples [..., n] → log-mel [..., (n - frame_length) // hop + 1, n_bands], natural logarithm
    """

    def __init__(
        self,
        sample_rate: int,
        frame_length: int,
        hop: int,
        n_bands: int,
        f_min: float,
        f_max: float,
        floor: float,
        excerpt_frames: int,
    ) -> None:
        """Sizes in samples, frequencies in Hz; floor: least magnitude before the logarithm; excerpt_frames: 115."""
        super().__init__()
        sizes = dict(sample_rate=sample_rate, frame_length=frame_length, hop=hop, n_bands=n_bands)
        for key, size in {**sizes, "excerpt_frames": excerpt_frames}.items():
            if size < 1:
                raise ConfigError(f"frontend.{key}={size}: expected at least 1")
        if not 0 <= f_min < f_max <= sample_rate / 2:
            bounds = f"f_min={f_min} and f_max={f_max} should ascend from 0 to half of sample_rate={sample_rate}"
            raise ConfigError(f"frontend: {bounds}")
        if not floor > 0:
            raise ConfigError(f"frontend.floor={floor}: expected more than 0")
        self.settings = dict(
            sample_rate=sample_rate,
            frame_length=frame_length,
            hop=hop,
            n_bands=n_bands,
            f_min=f_min,
            f_max=f_max,
            floor=floor,
            excerpt_frames=excerpt_frames,
        )
        self.sample_rate, self.frame_length, self.hop, self.n_bands = sample_rate, frame_length, hop, n_bands
        self.f_min, self.f_max, self.floor, self.excerpt_frames = f_min, f_max, floor, excerpt_frames
        filterbank = mel_filterbank(sample_rate, frame_length, n_bands, f_min, f_max)
        self.register_buffer("window", torch.hann_window(frame_length, periodic=False, dtype=torch.float64))
        self.register_buffer("filterbank", filterbank)

    @property
    def frame_rate(self) -> float:
        """Frames a second; frame i stands at i / frame_rate seconds."""
        return self.sample_rate / self.hop

    def n_frames(self, n_samples: int) -> int:
        """How many whole frames n_samples hold."""
        return max(0, (n_samples - self.frame_length) // self.hop + 1)

    def n_samples(self, n_frames: int) -> int:
        """How many samples n_frames need."""
        return (n_frames - 1) * self.hop + self.frame_length

    def band_frequencies(self) -> Tensor:
        """Centre of every band, [n_bands], Hz."""
        return self._frequencies(torch.arange(1, self.n_bands + 1))

    def band_edges(self) -> Tensor:
        """Limits of the bands, halfway in mel between neighbouring centres, [n_bands + 1], Hz."""
        return self._frequencies(torch.arange(self.n_bands + 1) + 0.5)

    def _frequencies(self, corners: Tensor) -> Tensor:
        """Hz of positions among the filters' corners: 0 is f_min, band i has its centre at i + 1."""
        low, high = (1127 * math.log1p(f / 700) for f in (self.f_min, self.f_max))
        mels = low + corners.double() * (high - low) / (self.n_bands + 1)
        return (700 * torch.expm1(mels / 1127)).float()

    def spectrum(self, samples: Tensor) -> Tensor:
        """samples [..., n] → magnitudes [..., frames, frame_length // 2 + 1]."""
        if samples.shape[-1] < self.frame_length:  # `unfold` refuses what holds no frame
            return samples.new_zeros(*samples.shape[:-1], 0, len(self.filterbank))
        return magnitude(self._transform(samples))

    def _transform(self, samples: Tensor) -> Tensor:
        frames = samples.unfold(-1, self.frame_length, self.hop)
        return torch.fft.rfft(frames * self.window.to(samples.dtype))

    def mel(self, spectrum: Tensor) -> Tensor:
        """magnitudes [..., bins] → mel bands [..., n_bands]."""
        return spectrum @ self.filterbank.to(spectrum.dtype)

    def log(self, mel: Tensor) -> Tensor:
        """mel bands → natural logarithm of max(band, floor)."""
        return mel.clamp_min(self.floor).log()

    def forward(self, samples: Tensor) -> Tensor:
        """samples [..., n] → log-mel [..., frames, n_bands]."""
        return self.log(self.mel(self.spectrum(samples)))

    def of_track(self, samples: Tensor) -> Tensor:
        """samples [n] → log-mel [frames, n_bands], float32, a block of frames at a time.

        Exact to 1e-6, at twice the speed of float64 throughout: what cancels, the transform, is computed in float64,
        what only adds up, from the magnitudes on, in float32; and of the spectrum only what the bands hear.
        """
        n_frames = self.n_frames(len(samples))
        heard = slice(int(self.filterbank.sum(1).nonzero().max()) + 1)
        filterbank = self.filterbank[heard].float()
        logmels = [torch.empty(0, self.n_bands)]
        for first in range(0, n_frames, BLOCK_FRAMES):
            start = first * self.hop
            block = samples[start : start + self.n_samples(min(BLOCK_FRAMES, n_frames - first))]
            logmels.append(self.log(magnitude(self._transform(block.double())[:, heard], torch.float32) @ filterbank))
        return torch.cat(logmels)


def magnitude(spectrum: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """|z| of complex z, in dtype; None: z's precision. `abs` guards against overflow, which takes twice the time."""
    real, imaginary = (part.to(dtype or part.dtype) for part in (spectrum.real, spectrum.imag))
    return (real * real).addcmul_(imaginary, imaginary).sqrt_()
