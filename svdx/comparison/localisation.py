"""Does an explanation lie on the voice? Where the voice is known, and is what the classifier's label hangs on."""

from __future__ import annotations

import numpy as np

from svdx.comparison.stems import Pair
from svdx.explain.region import kept_energy, voice_bins, voice_share

POINTS = ("voice_iou", "pointing_game", "relevance_mass", "relevance_rank")


def voice_ratio(pair: Pair) -> float:
    """Energy of the voice over that of everything else, in dB."""
    voice, other = (kept_energy(logmel, np.ones(logmel.shape, bool)).sum() for logmel in pair)
    return float(10 * np.log10(voice / other))


def ideal_mask(pair: Pair) -> np.ndarray:
    """The ideal binary mask: bins in which the voice is louder than everything else, [frames, bands] bool."""
    return voice_bins(*pair)


def localise(pair: Pair, score: np.ndarray, rank: np.ndarray, masks: np.ndarray) -> dict[str, np.ndarray]:
    """How a method's score meets the voice of one excerpt whose ideal mask holds K > 0 bins.

    voice_share: of the energy that each of the masks keeps, the share that is voice, [A]
    voice_enrichment: that share over the whole excerpt's, [A]
    voice_iou: the K best bins and the ideal mask, intersection over union
    pointing_game: is the best bin in the ideal mask? 0 or 1, of several equal ones the mean (Zhang et al., "Top-Down
        Neural Attention by Excitation Backprop", IJCV 2018)
    relevance_mass: share of the positive score that is in the ideal mask; NaN without any
    relevance_rank: share of the K best bins that are in the ideal mask; this and the former: Arras, Osman and Samek,
        "CLEVR-XAI", Information Fusion 2022

    score, rank: [frames, bands], the latter of `ties.ranks`; masks: [A, frames, bands]
    """
    ideal = ideal_mask(pair)
    size = int(ideal.sum())
    hit = int((ideal & (rank < size)).sum())
    positive = np.maximum(np.asarray(score, float), 0)
    share = np.array([voice_share(*pair, mask) for mask in masks])
    return {
        "voice_share": share,
        "voice_enrichment": share / voice_share(*pair, np.ones_like(ideal)),
        "voice_iou": np.float64(hit / (2 * size - hit)),
        "pointing_game": ideal[score == score.max()].mean(),
        "relevance_mass": positive[ideal].sum() / positive.sum() if positive.any() else np.float64("nan"),
        "relevance_rank": np.float64(hit / size),
    }


def localise_batch(
    pairs: list[Pair | None], where: np.ndarray, score: np.ndarray, rank: np.ndarray, masks: np.ndarray
) -> dict[str, np.ndarray]:
    """`localise` for those of B excerpts that `where` [B] names, NaN for the others: [A, B] and [B].

    score, rank: [B, frames, bands]; masks: [A, B, frames, bands]
    """
    n_areas, n = masks.shape[:2]
    found = {name: np.full((n_areas, n), np.nan) for name in ("voice_share", "voice_enrichment")}
    found |= {name: np.full(n, np.nan) for name in POINTS}
    for number in np.flatnonzero(where):
        here = localise(pairs[number], score[number], rank[number], masks[:, number])
        for name, value in here.items():
            found[name][..., number] = value
    return found
