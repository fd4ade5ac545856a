"""What the bench writes down: one array a method and measurement, with a place for every excerpt."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np


@dataclass
class Study:
    """N excerpts under M methods.

    fills: [F]; areas: shares of the bins, ascending, [A]; names: of the tracks
    track: number of each excerpt's track, [N]; start: its first frame, [N]
    probability: of singing, [N]; vocal: the classifier's label, [N] bool
    nothing: the label where every bin is filled, [F, N] bool
    localised: excerpts whose voice is known and decides the label, [N] bool
    voice_ratio: energy of the voice over that of everything else, dB, NaN where it is not known, [N]
    shown: numbers of the excerpts that the sheet shows, [S]; logmel: these, standardised, [S, frames, bands]
    methods: name → arrays; the last axis of `EXCERPTS` and of `randomised…` is N, with NaN where nothing was measured
    """

    fills: list[str]
    areas: np.ndarray
    names: list[str]
    track: np.ndarray
    start: np.ndarray
    probability: np.ndarray
    vocal: np.ndarray
    nothing: np.ndarray
    localised: np.ndarray
    voice_ratio: np.ndarray
    shown: np.ndarray
    logmel: np.ndarray
    methods: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write everything into one .npz: the study's arrays, and a method's as METHOD/NAME."""
        arrays = {part.name: np.asarray(getattr(self, part.name)) for part in fields(self) if part.name != "methods"}
        arrays |= {f"{name}/{key}": array for name, found in self.methods.items() for key, array in found.items()}
        np.savez_compressed(path, **arrays)


def gathered(pieces: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Measurements of batch after batch, each [..., B], put together to [..., N]."""
    return {key: np.concatenate([piece[key] for piece in pieces], -1) for key in pieces[0]}


def placed(values: np.ndarray, numbers: np.ndarray, n: int) -> np.ndarray:
    """Values of some of n excerpts, [..., len(numbers)] → [..., n], NaN elsewhere."""
    among = np.full((*values.shape[:-1], n), np.nan)
    among[..., numbers] = values
    return among
