"""Means over excerpts, their bootstrap over tracks, and p-values of paired differences.

The excerpts of a track are not independent, so tracks are resampled, and all methods are compared on the same draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from svdx.evaluation.metrics import CONFIDENCE, FEWEST

REPETITIONS = 2000  # of the bootstrap and of the signs; the least p-value is 1 / (REPETITIONS + 1)
SIGNIFICANT = 0.05
BALANCED = "balanced"  # the mean of the classes vocal and nonvocal


@dataclass(frozen=True)
class Means:
    """Means of M methods over a class of excerpts.

    n: number of excerpts that were measured, [M]; n_tracks: of their tracks, [M]
    value: [M]; draws: the means in every bootstrap draw, [M, R]
    """

    n: np.ndarray
    n_tracks: np.ndarray
    value: np.ndarray
    draws: np.ndarray

    def balanced_with(self, other: Means) -> Means:
        """The mean of both classes' means; it has as many tracks as the class with fewer."""
        return Means(
            n=self.n + other.n,
            n_tracks=np.minimum(self.n_tracks, other.n_tracks),
            value=(self.value + other.value) / 2,
            draws=(self.draws + other.draws) / 2,
        )

    @cached_property
    def interval(self) -> np.ndarray:
        """Ends of the 95 % bootstrap intervals, [2, M]; NaN for fewer than `FEWEST` tracks."""
        tail = (100 - CONFIDENCE) / 2
        ends = np.full((2, len(self.draws)), np.nan)
        enough = (self.n_tracks >= FEWEST) & ~np.isnan(self.draws).all(1)
        if enough.any():
            ends[:, enough] = np.nanpercentile(self.draws[enough], [tail, 100 - tail], axis=1)
        return ends


def drawn_tracks(n_tracks: int, repetitions: int = REPETITIONS, seed: int = 0) -> np.ndarray:
    """How often each track is in each bootstrap draw of n_tracks tracks with replacement, [R, T]."""
    chosen = np.random.default_rng(seed).integers(n_tracks, size=(repetitions, n_tracks))
    return np.stack([np.bincount(draw, minlength=n_tracks) for draw in chosen]).astype(float)


def class_means(
    values: np.ndarray, track: np.ndarray, classes: dict[str, np.ndarray], drawn: np.ndarray
) -> dict[str, Means]:
    """Means of values [M, N] over the excerpts of each class, without NaN; with the classes vocal and nonvocal also
    the mean of their means, as `balanced`.

    track: of every excerpt, from 0 to T - 1, [N]; classes: name → [N] bool; drawn: of `drawn_tracks`, [R, T]
    """
    means = {name: _means(values, track, where, drawn) for name, where in classes.items()}
    if {"vocal", "nonvocal"} <= set(means):
        means[BALANCED] = means["vocal"].balanced_with(means["nonvocal"])
    return means


def _means(values: np.ndarray, track: np.ndarray, where: np.ndarray, drawn: np.ndarray) -> Means:
    measured = ~np.isnan(values) & where
    of_track = np.eye(drawn.shape[1])[track]  # [N, T]
    counts, sums = measured @ of_track, np.where(measured, values, 0.0) @ of_track
    with np.errstate(invalid="ignore"):
        draws = (sums @ drawn.T) / (counts @ drawn.T)
        return Means(counts.sum(1), (counts > 0).sum(1), sums.sum(1) / counts.sum(1), draws)


def drawn_signs(n_tracks: int, repetitions: int = REPETITIONS, seed: int = 0) -> np.ndarray:
    """A random sign for each track in each draw, [R, T]."""
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=(repetitions, n_tracks))


def p_values(
    differences: np.ndarray, track: np.ndarray, classes: dict[str, np.ndarray], signs: np.ndarray
) -> dict[str, np.ndarray]:
    """Two-sided p-values of mean differences [M, N] over the excerpts of each class, [M]; NaN if none was measured.

    A sign-flip test: if two methods are equally good, the difference of a track is as likely to have the opposite sign.
    p is the share of draws, the observed one included, whose mean is at least as far from 0. Unlike that of the
    bootstrap, it cannot be small if there are few tracks.

    signs: of `drawn_signs`, [R, T]; the others as in `class_means`
    """
    means = {name: _signed_means(differences, track, where, signs) for name, where in classes.items()}
    if {"vocal", "nonvocal"} <= set(means):
        (vocal, vocal_drawn), (nonvocal, nonvocal_drawn) = means["vocal"], means["nonvocal"]
        means[BALANCED] = (vocal + nonvocal) / 2, (vocal_drawn + nonvocal_drawn) / 2
    return {name: _share_beyond(observed, drawn) for name, (observed, drawn) in means.items()}


def _signed_means(
    values: np.ndarray, track: np.ndarray, where: np.ndarray, signs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The observed means [M], and those with the signs of every draw [M, R]."""
    measured = ~np.isnan(values) & where
    sums = np.where(measured, values, 0.0) @ np.eye(signs.shape[1])[track]
    with np.errstate(invalid="ignore"):
        return sums.sum(1) / measured.sum(1), sums @ signs.T / measured.sum(1)[:, None]


def _share_beyond(observed: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Share of draws [M, R], and the observed value [M] as one of them, as far from 0 as it up to rounding."""
    beyond = (np.abs(drawn) >= np.abs(observed)[:, None] - 1e-9).sum(1)
    return np.where(np.isnan(observed), np.nan, (beyond + 1) / (drawn.shape[1] + 1))


def least_p(n_tracks: int, n_methods: int) -> float:
    """The least p-value that a sign-flip test of n_tracks tracks can give, corrected for the number of methods that are
    compared with the reference.

    >>> least_p(5, 2), least_p(6, 3)
    (0.0625, 0.0625)
    """
    return min(1.0, (n_methods - 1) * 2.0 ** (1 - n_tracks))


def holm(p: np.ndarray) -> np.ndarray:
    """p-values [M] corrected for their number (Holm, Scandinavian Journal of Statistics, 1979); NaN does not count.

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
