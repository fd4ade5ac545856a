"""From an audio file to samples."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import soundfile
import torch
from torch import Tensor, nn

from svdx.errors import AudioError

BLOCK = 1 << 16  # frames decoded at a time: a header's promise is never allocated before it is kept
HEAD = 1 << 20  # bytes in which an mp3 has its first frame
PADDING = 2304  # samples by which an mp3 may be shorter than its header says: two of its frames
STREAMED = 0x7FFFF000  # bytes


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
