"""WAV files of what an explanation keeps: in float, so that nothing clips and parts sum to their whole."""

from __future__ import annotations

from pathlib import Path

import soundfile
from torch import Tensor


def write_wav(path: Path, samples: Tensor, rate: int) -> None:
    """Write samples, [n] or [channels, n], full scale = 1, as float32. Equal sounds are equal files."""
    soundfile.write(path, samples.T.numpy() if samples.ndim > 1 else samples.numpy(), rate, subtype="FLOAT")
    _undate(path)


def _undate(path: Path) -> None:
    """Take the time of writing out of a WAV file's PEAK chunk."""
    with path.open("r+b") as file:
        chunk = file.read(256).find(b"PEAK")
        if chunk >= 0:
            file.seek(chunk + 12)  # behind name, size and version
            file.write(bytes(4))
