"""Regions or speckle: how many pieces a mask has, and how much of it the largest one is."""

from __future__ import annotations

import numpy as np

from svdx.errors import ConfigError


def expect_scipy() -> None:
    """Raises ConfigError where scipy, which comes with the extra, is not installed."""
    try:
        import scipy.ndimage
        import scipy.stats  # noqa: F401
    except ImportError as error:
        raise ConfigError("experiment=compare needs scipy: pip install 'svdx[compare]'") from error


def regions(mask: np.ndarray) -> tuple[int, float]:
    """Connected components of a mask [frames, bands], bins that touch at a corner counted as connected, and the
    largest one's share of the mask; NaN of an empty one.

    >>> regions(np.array([[1, 0, 0, 1], [0, 1, 0, 1]], bool))
    (2, 0.5)
    """
    from scipy.ndimage import label

    numbered, count = label(mask, structure=np.ones((3, 3)))
    sizes = np.bincount(numbered.ravel())[1:]
    return count, float(sizes.max() / sizes.sum()) if count else float("nan")


def count_regions(masks: np.ndarray) -> dict[str, np.ndarray]:
    """The same of masks [A, B, frames, bands]: `regions` and `largest_region`, [A, B] each."""
    found = np.array([[regions(mask) for mask in row] for row in masks])
    return {"regions": found[..., 0], "largest_region": found[..., 1]}
