"""How many tracks a star needs."""

from __future__ import annotations

import numpy as np

from svdx.comparison.measures import REFERENCE
from svdx.comparison.records import Study
from svdx.comparison.table import SIGNIFICANT


def least_p(n_tracks: int, n_methods: int) -> float:
    """The least p-value that the signs of so many tracks' differences can give, corrected for the methods that are
    compared with the reference.

    >>> least_p(5, 2), least_p(6, 3)
    (0.0625, 0.0625)
    """
    return min(1.0, (n_methods - 1) * 2.0 ** (1 - n_tracks))


def without_stars(study: Study) -> list[str]:
    """A sentence for every kind of column whose excerpts come from too few tracks for any star."""
    m = len(study.methods)
    if REFERENCE not in study.methods or m < 2:
        return []
    said = []
    for kind, where in _asked(study).items():
        n_tracks = len(np.unique(study.track[where]))
        if where.any() and least_p(n_tracks, m) > SIGNIFICANT:
            said.append(
                f"No star is possible in the columns {kind}: with {n_tracks} tracks and {m} methods the least p is "
                f"{least_p(n_tracks, m):.2g}. That none is there says nothing; more tracks or fewer methods can differ."
            )
    return said


def _asked(study: Study) -> dict[str, np.ndarray]:
    """Excerpts by the kind of columns that they are in, [N] bool."""
    some = next(iter(study.methods.values())).get("deterministic", np.full(len(study.track), np.nan))
    return {
        "of all excerpts": np.ones(len(study.track), bool),
        "of the voice": study.localised,
        "of sanity": ~np.isnan(some),
    }
