"""Refuse audio that is silent, not finite, of another scale, or cancelled in its mono mix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from svdx.errors import AudioError

LOUDEST = 16.0  # 24 dB above full scale; music in float samples may exceed 1 without clipping
CANCELLED = 0.01  # of the power, -20 dB: lossy coding leaves up to that of opposite channels; music never is that wide


class Levels:
    """Peak and power of a sound and of its mono mix, accumulated block by block.

    weights: of the channels in the mix
    """

    def __init__(self, weights: Sequence[float]) -> None:
        self.weights, self.n, self.peak = np.array(weights), 0, 0.0
        self._products = np.zeros((len(weights), len(weights)))  # of all pairs of channels, summed over time

    def add(self, block: np.ndarray) -> None:
        """block: float32, [channels, n]"""
        self.n += block.shape[1]
        self.peak = float(np.max([self.peak, block.max(), -block.min()]))  # NaN stays
        self._products += block @ block.T

    def expect_sound(self, path: str | Path) -> None:
        """Raises AudioError if the sound is not finite, of another scale, silent, or silent in its mono mix."""
        if not np.isfinite(self.peak):
            raise AudioError(f"{path}: holds samples that are not finite (NaN or infinity); export it again")
        expect_full_scale(path, self.peak)
        if not self.peak:
            raise AudioError(f"{path}: silent from beginning to end")
        uncorrelated = self.weights**2 @ self._products.diagonal()  # power of the mix if channels were independent
        if not uncorrelated:
            raise AudioError(f"{path}: holds sound only in the channel of low-frequency effects; mix it to stereo")
        if self.weights @ self._products @ self.weights < CANCELLED * uncorrelated:
            raise AudioError(
                f"{path}: its channels cancel each other in the mix to mono (right is left inverted?); "
                "give a file with one channel"
            )


def expect_full_scale(path: str | Path, peak: float) -> None:
    """Raises AudioError if the peak shows another scale, as in float files that hold unscaled integers."""
    if peak <= LOUDEST:
        return
    bits = next((bits for bits in (8, 16, 24, 32) if peak <= 2 ** (bits - 1)), None)
    cure = f"they are {bits}-bit integers: divide them by {2 ** (bits - 1)}" if bits else "export it again"
    raise AudioError(f"{path}: its samples reach {peak:.6g}, where full scale is 1; {cure}")
