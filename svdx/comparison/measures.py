"""From records to measures: of every measure one number for each method and excerpt, whose mean is reported."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from svdx.comparison.localisation import AT_AREAS, POINTS
from svdx.comparison.study import Study, similarity

REFERENCE, CHANCE = "inversion", "random"  # methods that the others are compared with
LOSS, DELETION, GAIN = "explanation_loss_percent", "deletion_percent", "gain_over_random_percent"
OVER_AREAS = {**dict.fromkeys(AT_AREAS, True), "regions": False, "largest_region": False}  # record → localised?
PER_EXCERPT = {**dict.fromkeys(POINTS, True), "deterministic": False, "stability": False}
STRATIFIED = 9  # least number of localised excerpts that are divided into thirds


@dataclass(frozen=True)
class Measure:
    """A metric with its values.

    values: [M, N], NaN for an excerpt that was not measured
    fill, area: at which it was measured, if it depends on them
    localised: whether it is defined only for excerpts whose voice decides the label
    """

    metric: str
    values: np.ndarray
    fill: str = ""
    area: float | None = None
    localised: bool = False


def measures(study: Study) -> Iterator[Measure]:
    """Every measure of a study.

    explanation_loss_percent: 100 if the best bins alone have another label than the excerpt, else 0
    deletion_percent: the same when the best bins are removed
    gain_over_random_percent: the loss of random bins minus that of the method
    loss_auc, deletion_auc: areas under these two curves, over the area from 0 to 1; …_log: over its logarithm from the
        smallest area to 1, divided by that range. The ends of the curves are known without measuring them
    randomised_…, retrained_…: means over the draws of the sanity checks
    the others: see `localisation.localise`, `equal_area.regions` and `Sanity.repeat`
    """
    for number in range(len(study.fills)):
        yield from _label_changes(study, number)
    for metric, localised in OVER_AREAS.items():
        if (values := study.stacked(metric)) is not None:
            yield from _at_areas(study, metric, values, localised=localised)
    for metric, localised in PER_EXCERPT.items():
        if (values := study.stacked(metric)) is not None:
            yield Measure(metric, values, localised=localised)
    for layer in study.layers:
        for kind in ("randomised", "retrained"):
            yield from _similarities(study, kind, layer)


def empty_losses(study: Study) -> Iterator[Measure]:
    """The explanation loss of the empty mask for every fill, [1, N]: all E_loss curves begin there, and those of
    deletion end there."""
    for fill, nothing in zip(study.fills, study.nothing, strict=True):
        yield Measure(LOSS, 100.0 * (nothing != study.vocal)[None], fill, 0.0)


def _label_changes(study: Study, number: int) -> Iterator[Measure]:
    """The measures of the number-th fill: how often the label changes."""
    fill = study.fills[number]
    loss, deletion = (
        np.stack([arrays[key][number] != study.vocal for arrays in study.methods.values()]) * 100.0
        for key in ("kept", "removed")
    )
    empty = 100.0 * (study.nothing[number] != study.vocal)
    for metric, auc, curve, at_0, at_1 in (
        (LOSS, "loss_auc", loss, empty, np.zeros_like(empty)),
        (DELETION, "deletion_auc", deletion, np.zeros_like(empty), empty),
    ):
        yield from _at_areas(study, metric, curve, fill)
        plain, log = areas_under(curve, study.areas, at_0, at_1)
        yield Measure(auc, plain, fill)
        yield Measure(f"{auc}_log", log, fill)
    if CHANCE in study.methods:
        yield from _at_areas(study, GAIN, loss[list(study.methods).index(CHANCE)] - loss, fill)


def _at_areas(
    study: Study, metric: str, values: np.ndarray, fill: str = "", localised: bool = False
) -> Iterator[Measure]:
    """values: [M, A, N]"""
    for place, area in enumerate(study.areas):
        yield Measure(metric, values[:, place], fill, float(area), localised)


def _similarities(study: Study, kind: str, layer: str) -> Iterator[Measure]:
    """Means over the draws; of a correlation also that of its absolute value, since an explanation with the opposite
    sign is no other one, and as `…_range` the largest absolute value minus the smallest."""
    correlations, overlaps = (study.stacked(similarity(kind, statistic, layer)) for statistic in ("spearman", "iou"))
    if correlations is None or overlaps is None:
        return
    sizes = np.abs(correlations)
    yield Measure(similarity(kind, "spearman", layer), _over_draws(correlations))
    yield Measure(similarity(kind, "abs_spearman", layer), _over_draws(sizes))
    yield Measure(similarity(kind, "abs_spearman_range", layer), sizes.max(1) - sizes.min(1))
    yield Measure(similarity(kind, "iou", layer), _over_draws(overlaps))


def _over_draws(values: np.ndarray) -> np.ndarray:
    """The mean of [M, draws, N] over the draws that are not NaN, [M, N]; NaN if all are."""
    n = (~np.isnan(values)).sum(1)
    return np.divide(np.nansum(values, 1), n, out=np.full(n.shape, np.nan), where=n > 0)


def areas_under(
    curves: np.ndarray, areas: np.ndarray, at_0: np.ndarray, at_1: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Areas under curves [M, A, N], which are at_0 [N] at area 0 and at_1 [N] at area 1, [M, N] each: over the area,
    and over its logarithm from the smallest of `areas` [A] to 1, divided by that range.

    >>> curve, empty, full = np.array([[[10.0]]]), np.array([20.0]), np.array([0.0])
    >>> [area.item() for area in areas_under(curve, np.array([0.5]), empty, full)]
    [10.0, 5.0]
    """
    from scipy.integrate import trapezoid

    first, last = (np.broadcast_to(end, (len(curves), 1, curves.shape[2])) for end in (at_0, at_1))
    measured, positions = np.concatenate([curves, last], 1), np.array([*areas, 1.0])
    plain = trapezoid(np.concatenate([first, measured], 1), np.array([0.0, *positions]), axis=1)
    return plain, trapezoid(measured, np.log(positions), axis=1) / -np.log(areas[0])


def classes(study: Study, localised: bool = False) -> dict[str, np.ndarray]:
    """The classes of excerpts over which a measure is reported, [N] bool: all of them, and those of each label; of a
    localised measure, instead of the labels, thirds by the ratio of voice to accompaniment if there are enough."""
    every = {"all": np.ones(len(study.vocal), bool)}
    if not localised:
        return {**every, "vocal": study.vocal, "nonvocal": ~study.vocal}
    if not is_stratified(study):
        return every
    low, high = thirds(study)
    ratio = np.where(study.localised, study.voice_ratio, np.nan)
    middle = (ratio >= low) & (ratio < high)
    return {**every, "voice_soft": ratio < low, "voice_middle": middle, "voice_loud": ratio >= high}


def is_stratified(study: Study) -> bool:
    """Whether there are enough localised excerpts to divide them into thirds."""
    return bool(study.localised.sum() >= STRATIFIED)


def thirds(study: Study) -> tuple[float, float]:
    """Voice-to-accompaniment ratios, in dB, that divide the localised excerpts into thirds."""
    low, high = np.quantile(study.voice_ratio[study.localised], [1 / 3, 2 / 3])
    return float(low), float(high)
