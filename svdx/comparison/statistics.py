"""Means over excerpts, their track bootstrap, paired differences and their p-values: pure functions.

Excerpts of a track are not independent, so tracks are drawn, and all methods are compared on the same draws.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svdx.evaluation.metrics import CONFIDENCE, FEWEST

REPETITIONS = 2000  # of the bootstrap and of the signs; the least p-value is 1 / (REPETITIONS + 1)
BALANCED = "balanced"


@dataclass(frozen=True)
class Estimate:
    """Of M methods: how many excerpts were measured, their mean, and where the middle 95 per cent of the means in the
    bootstrap begin and end, NaN where they come from fewer than `FEWEST` tracks; [M] each.
    """

    n: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


def drawn_tracks(n_tracks: int, repetitions: int = REPETITIONS, seed: int = 0) -> np.ndarray:
    """How often each track is in each draw of as many as there are, with replacement, [R, T]."""
    chosen = np.random.default_rng(seed).integers(n_tracks, size=(repetitions, n_tracks))
    return np.stack([np.bincount(draw, minlength=n_tracks) for draw in chosen]).astype(float)


def class_means(
    values: np.ndarray, track: np.ndarray, classes: dict[str, np.ndarray], drawn: np.ndarray
) -> dict[str, Estimate]:
    """Means of values [M, N] over the excerpts of each class, NaN left out; and where there are the classes vocal and
    nonvocal, the mean of these two means as `balanced`.

    track: of every excerpt, from 0 to T - 1, [N]; classes: name → [N] bool; drawn: of `drawn_tracks`, [R, T]
    """
    means = {name: _means(values, track, where, drawn) for name, where in classes.items()}
    if {"vocal", "nonvocal"} <= set(means):
        parts = zip(means["vocal"], means["nonvocal"], strict=True)
        both, value, draws, _ = ((one + other) for one, other in parts)
        fewer = np.minimum(means["vocal"][3], means["nonvocal"][3])
        means[BALANCED] = both, value / 2, draws / 2, fewer
    return {
        name: Estimate(n, value, *np.where(tracks < FEWEST, np.nan, limits(draws)))
        for name, (n, value, draws, tracks) in means.items()
    }


def _means(
    values: np.ndarray, track: np.ndarray, where: np.ndarray, drawn: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """How many values there are [M], their mean [M], that of every draw [M, R], and how many tracks they are of [M]."""
    measured = ~np.isnan(values) & where
    of_track = np.eye(drawn.shape[1])[track]  # [N, T]
    counts, sums = measured @ of_track, np.where(measured, values, 0.0) @ of_track
    with np.errstate(invalid="ignore"):
        draws = (sums @ drawn.T) / (counts @ drawn.T)
        return counts.sum(1), sums.sum(1) / counts.sum(1), draws, (counts > 0).sum(1)


def limits(draws: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the middle 95 per cent of draws [M, R] begin and end, [M] each; NaN is left out, and what is left of
    nothing."""
    tail = (100 - CONFIDENCE) / 2
    found = np.full((2, len(draws)), np.nan)
    some = ~np.isnan(draws).all(1)
    if some.any():
        found[:, some] = np.nanpercentile(draws[some], [tail, 100 - tail], axis=1)
    return found[0], found[1]


def drawn_signs(n_tracks: int, repetitions: int = REPETITIONS, seed: int = 0) -> np.ndarray:
    """For every draw a sign for each track, [R, T]."""
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=(repetitions, n_tracks))


def p_values(
    differences: np.ndarray, track: np.ndarray, classes: dict[str, np.ndarray], signs: np.ndarray
) -> dict[str, np.ndarray]:
    """Two-sided p-values of mean differences [M, N] over the excerpts of each class, [M]; NaN without any.

    Where two methods are alike, a track might as well have had the opposite difference: p is the share of draws, the
    true one among them, whose mean is as far from 0 under such signs. Unlike the bootstrap's it cannot be small where
    there are few tracks. signs: of `drawn_signs`, [R, T]; the rest as in `class_means`
    """
    found = {name: _signed(differences, track, where, signs) for name, where in classes.items()}
    if {"vocal", "nonvocal"} <= set(found):
        found[BALANCED] = tuple((one + other) / 2 for one, other in zip(found["vocal"], found["nonvocal"]))
    return {name: _share_beyond(true, drawn) for name, (true, drawn) in found.items()}


def _signed(
    values: np.ndarray, track: np.ndarray, where: np.ndarray, signs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Means [M], and with the signs of every draw [M, R]."""
    measured = ~np.isnan(values) & where
    sums = np.where(measured, values, 0.0) @ np.eye(signs.shape[1])[track]
    with np.errstate(invalid="ignore"):
        return sums.sum(1) / measured.sum(1), sums @ signs.T / measured.sum(1)[:, None]


def _share_beyond(true: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """drawn: [M, R]; what is as far from 0 as `true` [M] but for rounding counts."""
    beyond = (np.abs(drawn) >= np.abs(true)[:, None] - 1e-9).sum(1)
    return np.where(np.isnan(true), np.nan, (beyond + 1) / (drawn.shape[1] + 1))


def holm(p: np.ndarray) -> np.ndarray:
    """p-values [M] corrected for their number (Holm, Scandinavian Journal of Statistics, 1979); NaN is none of them.

    >>> holm(np.array([0.01, 0.04, 0.03, np.nan])).tolist()
    [0.03, 0.06, 0.06, nan]
    """
    corrected = np.full(len(p), np.nan)
    order = [number for number in np.argsort(p) if not np.isnan(p[number])]
    largest = 0.0
    for place, number in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - place) * float(p[number])))
        corrected[number] = largest
    return corrected
