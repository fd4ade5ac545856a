"""The page's slider: its positions, thresholds or areas, and the bins that are salient at each of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from svdx.errors import ConfigError

LABELS = ("label", "as sound")


class Scale(ABC):
    """The positions of a slider: thresholds, or shares of the bins.

    name: of a position; key: of the configuration that lists further ones; own: positions that every slider has,
        ascending; gaps: their name in messages
    grows: whether more bins are salient at greater positions; unit, place: for writing a position; note: on the table
    """

    name: str
    article: str
    key: str
    own: np.ndarray
    gaps: str
    grows: bool
    unit = ""
    place = "{}"
    note = ""

    def steps(self, points: Sequence[float]) -> np.ndarray:
        """The slider's own positions and the given points, ascending, [S]; at most 256, so that a byte numbers them.

        Raises: ConfigError if there are too many.
        """
        steps = np.union1d(self.own, np.asarray(points, self.own.dtype))
        between, most = len(steps) - len(self.own), 256 - len(self.own)
        if between > most:
            message = (
                f"{between} of them, explainer.{self.name} counted, lie between the {self.gaps} of the page's slider"
            )
            raise ConfigError(f"{self.key}: {message}; it takes {most} such at most")
        return steps

    @abstractmethod
    def levels(self, salience: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """The last step at which a bin is salient; if `grows`, the first.

        salience: any shape, in [0, 1]; steps: of `steps` → the same shape, uint8
        """

    def opened(self, levels: np.ndarray, salient: np.ndarray, opening: int) -> np.ndarray:
        """Levels by which exactly the `salient` bins, bool, are salient at step `opening`. The salience alone does not
        give them: a choice may keep only some of several equally salient bins, and thresholds are shown rounded."""
        first = levels.astype(int)
        inside = np.minimum(first, opening) if self.grows else np.maximum(first, opening)
        outside = np.maximum(first, opening + 1) if self.grows else np.minimum(first, opening - 1)
        return np.where(salient, inside, outside).astype(np.uint8)

    @abstractmethod
    def heads(self, keep: str) -> tuple[str, ...]:
        """Heads of the table's columns."""

    @abstractmethod
    def number(self, position: float) -> float:
        """A position as it is shown, without its unit."""

    def text(self, position: float) -> str:
        """A position as it is shown."""
        return f"{self.number(position):g}{self.unit}"


class Thresholds(Scale):
    """Every hundredth from 0 to 1.1; `salience >= steps[k]` is `level >= k`.

    >>> Thresholds().levels(np.array([0.0, 0.499, 0.5, 1.0]), np.array([0, 0.5, 1, 1.1], np.float32))
    array([0, 0, 1, 2], dtype=uint8)
    """

    name, article, key, grows = "threshold", "a", "thresholds", False
    own = (np.arange(111) / 100).astype(np.float32)
    gaps = "hundredths"
    place = "threshold {}"

    def levels(self, salience: np.ndarray, steps: np.ndarray) -> np.ndarray:
        return (np.searchsorted(steps, salience.astype(np.float32), side="right") - 1).astype(np.uint8)

    def heads(self, keep: str) -> tuple[str, ...]:
        return "threshold", "area kept", *LABELS

    def number(self, position: float) -> float:
        return float(f"{position:g}")


class Areas(Scale):
    """Every tenth of a per cent up to 10, then every per cent; the round(steps[k] × bins) bins of greatest salience, of
    equal ones the first, have `level <= k`: those of `svdx.explanation.thresholds.Area`.

    >>> Areas().levels(np.array([0.0, 0.7, 0.5, 0.7]), np.array([0, 0.25, 0.5, 1]))
    array([3, 1, 3, 2], dtype=uint8)
    """

    name, article, key, grows = "area", "an", "areas", True
    own = np.concatenate([np.arange(101) / 1000, np.arange(11, 101) / 100])
    gaps = "positions"
    unit, place = " %", "{} of the area"
    note = " Area: the best bins, of equally good ones the earliest. Threshold: their least salience."

    def levels(self, salience: np.ndarray, steps: np.ndarray) -> np.ndarray:
        n_bins = salience.size
        if np.ptp(salience) == 0:  # no bin is salient, except at an area of 1
            return np.full(salience.shape, len(steps) - 1, np.uint8)
        rank = np.empty(n_bins, int)
        rank[np.argsort(-salience, axis=None, kind="stable")] = np.arange(n_bins)
        n_kept = [round(step * n_bins) for step in steps.tolist()]
        return np.searchsorted(n_kept, rank, side="right").astype(np.uint8).reshape(salience.shape)

    def heads(self, keep: str) -> tuple[str, ...]:
        return "area" if keep == "salient" else "area removed", "threshold", *LABELS

    def number(self, position: float) -> float:
        return float(f"{100 * position:.4g}")


THRESHOLDS, AREAS = Thresholds(), Areas()
