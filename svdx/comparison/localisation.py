"""How far an explanation lies on the voice, for excerpts whose voice is known and decides the classifier's label."""

from __future__ import annotations

import numpy as np

from svdx.comparison.stems import Pair
from svdx.explanation.region import kept_energy, voice_bins, voice_share

AT_AREAS = ("voice_share", "voice_enrichment")
POINTS = ("voice_iou", "pointing_game", "relevance_mass", "relevance_rank")


def voice_ratio(pair: Pair) -> float:
    """Energy of the voice over that of everything else, in dB."""
    voice, other = (kept_energy(logmel, np.ones(logmel.shape, bool)).sum() for logmel in pair)
    return float(10 * np.log10(voice / other))


def ideal_mask(pair: Pair) -> np.ndarray:
    """The ideal binary mask: bins in which the voice is louder than everything else, [frames, bands] bool."""
    return voice_bins(*pair)


def localise(pair: Pair, score: np.ndarray, rank: np.ndarray, masks: np.ndarray) -> dict[str, np.ndarray]:
    """Compare a method's scores of one excerpt with the voice, whose ideal mask holds K > 0 bins.

    voice_share: share of the voice in the energy that each mask keeps, [A]
    voice_enrichment: that share divided by the share in the whole excerpt, [A]
    voice_iou: intersection over union of the K best bins and the ideal mask
    pointing_game: whether the best bin is in the ideal mask, 0 or 1; the mean over equally good ones (Zhang et al.,
        "Top-Down Neural Attention by Excitation Backprop", IJCV 2018)
    relevance_mass: share of the positive scores that is in the ideal mask; NaN without positive scores
    relevance_rank: share of the K best bins that are in the ideal mask; both from Arras, Osman and Samek, "CLEVR-XAI",
        Information Fusion 2022

    score, rank: [frames, bands], the latter of `equal_area.tied_ranks`; masks: [A, frames, bands]
    """
    ideal = ideal_mask(pair)
    size = int(ideal.sum())
    hit = int((ideal & (rank < size)).sum())
    positive = np.maximum(np.asarray(score, float), 0)
    share = np.array([voice_share(*pair, mask) for mask in masks])
    return {
        "voice_share": share,
        "voice_enrichment": share / voice_share(*pair, np.ones_like(ideal)),
        "voice_iou": np.array(hit / (2 * size - hit)),
        "pointing_game": ideal[score == score.max()].mean(),
        "relevance_mass": positive[ideal].sum() / positive.sum() if positive.any() else np.array(np.nan),
        "relevance_rank": np.array(hit / size),
    }


def localise_batch(
    pairs: list[Pair | None], localised: np.ndarray, score: np.ndarray, rank: np.ndarray, masks: np.ndarray
) -> dict[str, np.ndarray]:
    """`localise` for those of B excerpts that are `localised` [B], and NaN for the others: [A, B] and [B].

    score, rank: [B, frames, bands]; masks: [A, B, frames, bands]
    """
    n_areas, n = masks.shape[:2]
    records: dict[str, np.ndarray] = {name: np.full((n_areas, n), np.nan) for name in AT_AREAS}
    records |= {name: np.full(n, np.nan) for name in POINTS}
    for number, pair in enumerate(pairs):
        if pair is not None and localised[number]:
            for name, value in localise(pair, score[number], rank[number], masks[:, number]).items():
                records[name][..., number] = value
    return records
