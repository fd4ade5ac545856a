"""From records to what is compared: for every measure and method a number an excerpt, whose mean is reported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from svdx.comparison.records import Study

REFERENCE, CHANCE = "inversion", "random"  # methods that the others are compared with
EMPTY = "empty mask"  # in the place of a method: nothing is kept
LOSS, DELETION, GAIN = "explanation_loss_percent", "deletion_percent", "gain_over_random_percent"
AT_AREAS = ("voice_share", "voice_enrichment", "regions", "largest_region")
AT_NONE = ("voice_iou", "pointing_game", "relevance_mass", "relevance_rank", "deterministic", "stability")

STRATIFIED = 9  # localised excerpts that are parted into thirds


@dataclass(frozen=True)
class Measure:
    """A metric, with what fill and at which area, where it has them."""

    metric: str
    fill: str = ""
    area: float | None = None


def measures(study: Study) -> Iterator[tuple[Measure, np.ndarray]]:
    """Every measure with its values, [M, N]; NaN where a method or an excerpt has none.

    explanation_loss_percent: 100 where the best bins alone have another label than the excerpt, else 0
    deletion_percent: the same where the best bins are removed
    gain_over_random_percent: the loss of random bins less that of the method
    loss_auc, deletion_auc: areas under these two curves, over the area from 0 to 1; …_log: over its logarithm from the
    smallest area to 1, as a share of that range. Nothing and everything kept count as what they are known to give.
    """
    names = list(study.methods)
    for number, (fill, (_, (empty,))) in enumerate(zip(study.fills, empty_losses(study), strict=True)):
        flips = {
            key: np.stack([found[key][number] != study.vocal for found in study.methods.values()]) * 100.0
            for key in ("kept", "removed")
        }
        yield from _curves(study, fill, LOSS, "loss_auc", flips["kept"], empty, np.zeros_like(empty))
        yield from _curves(study, fill, DELETION, "deletion_auc", flips["removed"], np.zeros_like(empty), empty)
        if CHANCE in names:
            for place, area in enumerate(study.areas):
                loss = flips["kept"][:, place]
                yield Measure(GAIN, fill, float(area)), loss[names.index(CHANCE)] - loss
    for metric in AT_AREAS:
        for place, area in enumerate(study.areas):
            yield Measure(metric, area=float(area)), np.stack([f[metric][place] for f in study.methods.values()])
    for metric in AT_NONE:
        yield Measure(metric), _of_all(study, metric)
    yield from _of_randomising(study)


def empty_losses(study: Study) -> Iterator[tuple[Measure, np.ndarray]]:
    """For every fill the loss where nothing is kept, [1, N]: how many labels are not the fill's own.

    The curves of E_loss begin there, and those of deletion end.
    """
    for fill, nothing in zip(study.fills, study.nothing, strict=True):
        yield Measure(LOSS, fill, 0.0), 100.0 * (nothing != study.vocal)[None]


def _curves(
    study: Study, fill: str, metric: str, auc: str, flips: np.ndarray, at_0: np.ndarray, at_1: np.ndarray
) -> Iterator[tuple[Measure, np.ndarray]]:
    for place, area in enumerate(study.areas):
        yield Measure(metric, fill, float(area)), flips[:, place]
    yield Measure(auc, fill), area_under(flips, study.areas, at_0, at_1)
    yield Measure(f"{auc}_log", fill), area_under_log(flips, study.areas, at_1)


def _of_randomising(study: Study) -> Iterator[tuple[Measure, np.ndarray]]:
    """Everything with `randomised` or `retrained` that any method has, [draws, N]: the mean over the draws where there
    is one; of a correlation also that of its absolute value, whose greatest less least draw is `…_range`."""
    keys = dict.fromkeys(key for found in study.methods.values() for key in found)
    for key in keys:
        if key.startswith(("randomised_", "retrained_")):
            shape = next(found[key].shape for found in study.methods.values() if key in found)
            values = np.stack([found.get(key, np.full(shape, np.nan)) for found in study.methods.values()])
            yield Measure(key), _over_draws(values)
            if "_spearman/" in key:
                name, sizes = key.replace("_spearman", "_abs_spearman"), np.abs(values)
                yield Measure(name), _over_draws(sizes)
                yield Measure(name.replace("spearman", "spearman_range")), sizes.max(1) - sizes.min(1)


def _over_draws(values: np.ndarray) -> np.ndarray:
    """The mean of [M, draws, N] over the draws that are not NaN, [M, N]; NaN where all are."""
    n = (~np.isnan(values)).sum(1)
    return np.divide(np.nansum(values, 1), n, out=np.full(n.shape, np.nan), where=n > 0)


def _of_all(study: Study, metric: str) -> np.ndarray:
    none = np.full(len(study.vocal), np.nan)
    return np.stack([found.get(metric, none) for found in study.methods.values()])


def area_under(values: np.ndarray, areas: np.ndarray, at_0: np.ndarray, at_1: np.ndarray) -> np.ndarray:
    """Area under curves [M, A, N] over areas [A] from 0 to 1, where they are at_0 and at_1 [N]; [M, N].

    >>> area_under(np.array([[[10.0]]]), np.array([0.5]), np.array([20.0]), np.array([0.0])).item()
    10.0
    """
    ends = (np.broadcast_to(end, (len(values), 1, values.shape[2])) for end in (at_0, at_1))
    first, last = ends
    return _trapezoids(np.concatenate([first, values, last], 1), np.array([0.0, *areas, 1.0]))


def area_under_log(values: np.ndarray, areas: np.ndarray, at_1: np.ndarray) -> np.ndarray:
    """The same over the logarithm of the area, from the smallest to 1, as a share of that range."""
    last = np.broadcast_to(at_1, (len(values), 1, values.shape[2]))
    across = np.log([*areas, 1.0])
    return _trapezoids(np.concatenate([values, last], 1), across) / (across[-1] - across[0])


def _trapezoids(values: np.ndarray, across: np.ndarray) -> np.ndarray:
    """Integral of [M, A, N] over its second axis, whose places are `across` [A]."""
    return ((values[:, 1:] + values[:, :-1]) / 2 * np.diff(across)[:, None]).sum(1)


def classes(study: Study) -> dict[str, np.ndarray]:
    """Excerpts by the classifier's label, and the localised ones in thirds of their voice-to-rest ratio; [N] bool."""
    found = {"all": np.ones(len(study.vocal), bool), "vocal": study.vocal, "nonvocal": ~study.vocal}
    if is_stratified(study):
        low, high = thirds(study)
        ratio = np.where(study.localised, study.voice_ratio, np.nan)
        found["voice_soft"] = ratio < low
        found["voice_middle"] = (ratio >= low) & (ratio < high)
        found["voice_loud"] = ratio >= high
    return found


def is_stratified(study: Study) -> bool:
    """Are there enough localised excerpts to part them?"""
    return bool(study.localised.sum() >= STRATIFIED)


def thirds(study: Study) -> tuple[float, float]:
    """Voice-to-rest ratios, in dB, that part the localised excerpts into thirds."""
    low, high = np.quantile(study.voice_ratio[study.localised], [1 / 3, 2 / 3])
    return float(low), float(high)
