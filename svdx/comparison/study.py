"""The records of a comparison: of every method and measurement one array, with a value for each excerpt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

NOT_SAVED = ("methods", "layers")  # methods' arrays are saved one by one, under names that hold the layers


def similarity(kind: str, statistic: str, layer: str) -> str:
    """Name of a record of the sanity checks, of shape [draws, N]: how similar a method's explanations are to those of a
    classifier whose weights are shuffled down to a layer.

    kind: randomised, with the method's own inverter, or retrained, with one trained for that classifier
    statistic: spearman or iou
    """
    return f"{kind}_{statistic}/{layer}"


@dataclass
class Study:
    """N excerpts under M methods.

    fills: [F]; areas: shares of the bins, ascending, [A]; names: of the tracks
    track: number of each excerpt's track, [N]; start: its first frame, [N]
    probability: of singing, [N]; vocal: the classifier's label, [N] bool
    nothing: the label when every bin is filled, [F, N] bool
    localised: excerpts whose voice is known and decides the label, [N] bool
    voice_ratio: energy of the voice over that of everything else, dB, NaN if unknown, [N]
    shown: numbers of the excerpts in the figure, [S]; logmel: these, standardised, [S, frames, bands]
    layers: of the sanity checks, from the output down
    methods: name → arrays by name. The last axis is N, NaN where an excerpt was not measured, except for `picture` and
        `rank` [S, frames, bands] and the timings: `seconds_first` [], `seconds_alone` [n] and `seconds_of_batch`
        [batches, 2], whose columns are the number of excerpts and the seconds they took
    """

    fills: Sequence[str]
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
    layers: list[str] = field(default_factory=list)
    methods: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)

    def stacked(self, name: str) -> np.ndarray | None:
        """One record of all methods, [M, ..., N], NaN for a method without it; None if no method has it."""
        shapes = [arrays[name].shape for arrays in self.methods.values() if name in arrays]
        if not shapes:
            return None
        return np.stack([arrays.get(name, np.full(shapes[0], np.nan)) for arrays in self.methods.values()])

    @property
    def retrained(self) -> bool:
        """Whether inverters were trained for the shuffled classifiers."""
        return any(self.stacked(similarity("retrained", "spearman", layer)) is not None for layer in self.layers)

    @property
    def batch_size(self) -> int:
        """Number of excerpts in the fullest batch."""
        return int(max(arrays["seconds_of_batch"][:, 0].max() for arrays in self.methods.values()))

    @property
    def repeated(self) -> np.ndarray:
        """The excerpts of the sanity checks, [N] bool."""
        deterministic = self.stacked("deterministic")
        return np.zeros(len(self.vocal), bool) if deterministic is None else ~np.isnan(deterministic).all(0)

    @property
    def counts(self) -> dict[str, int]:
        """Number of excerpts, of tracks, and of excerpts of each kind, as in summary.json."""
        return {
            "n_excerpts": len(self.vocal),
            "n_tracks": len(np.unique(self.track)),
            "n_vocal": int(self.vocal.sum()),
            "n_nonvocal": int((~self.vocal).sum()),
            "n_localised": int(self.localised.sum()),
        }

    def save(self, path: Path) -> None:
        """Write everything into one .npz: the study's arrays, and those of a method as METHOD/NAME."""
        arrays: dict[str, Any] = {
            part.name: np.asarray(getattr(self, part.name)) for part in fields(self) if part.name not in NOT_SAVED
        }
        arrays |= {f"{name}/{key}": array for name, found in self.methods.items() for key, array in found.items()}
        np.savez_compressed(path, **arrays)
