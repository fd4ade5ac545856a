"""One pass over the excerpts: every method explains every batch, and its measurements go into the records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from rich.progress import Progress, track
from torch import Tensor

from svdx.comparison.cost import Cost, counted, timed
from svdx.comparison.equal_area import EqualArea, count_regions, drawn_order, tied_ranks
from svdx.comparison.localisation import ideal_mask, localise_batch, voice_ratio
from svdx.comparison.sanity import Method, Sanity, Train
from svdx.comparison.stems import Pair, accompaniments
from svdx.comparison.study import Study
from svdx.data.excerpts import Excerpts, spread
from svdx.errors import ConfigError
from svdx.evaluation.predictions import MaskPredictor

SHOWN = 6  # excerpts in the figure


@dataclass(frozen=True)
class Batch:
    """B excerpts, and what does not depend on the method.

    number, track: [B]; excerpts: [B, frames, bands], standardised; order: of bins with equal scores, [B, bins]
    probability: of singing, [B]; predictors: one per fill
    pairs: the stems, None if unknown; localised: whether the voice decides the label, [B] bool
    """

    number: np.ndarray
    track: np.ndarray
    excerpts: Tensor
    order: Tensor
    probability: Tensor
    predictors: list[MaskPredictor]
    pairs: list[Pair | None]
    localised: np.ndarray


@dataclass(frozen=True)
class Measurements:
    """Of one method and batch.

    arrays: records by name, [..., B]; shown: `picture` (the scores) and `rank` of the excerpts in the figure
    seconds: of the explanation
    """

    arrays: dict[str, np.ndarray]
    shown: dict[str, np.ndarray]
    seconds: float


class Bench:
    """Compares methods that explain the same classifier.

    methods: by name; equal_area, sanity, cost: what is measured
    stems: number of an excerpt → its voice and accompaniment, or None if unknown; device: that of the networks

    Raises: ConfigError for a layer that the classifier does not have.
    """

    def __init__(
        self,
        methods: dict[str, Method],
        equal_area: EqualArea,
        sanity: Sanity,
        cost: Cost,
        stems: Callable[[int], Pair | None],
        device: torch.device | str = "cpu",
    ) -> None:
        self.methods, self.equal_area, self.sanity, self.cost = methods, equal_area, sanity, cost
        self.stems, self.device = stems, device
        self.explainer = next(iter(methods.values())).explainer  # any of them: all share the classifier
        self.classifier, self.decision = self.explainer.classifier, self.explainer.decision
        self._standardise = cast(Callable[[Tensor], Tensor], self.classifier.standardise)
        sanity.expect_layers(self.classifier)

    @torch.no_grad()
    def __call__(self, data: Excerpts, batch_size: int = 32, train: Train | None = None) -> Study:
        """train: makes inverters of other classifiers; None: no inverter is retrained"""
        n, shown = len(data), spread(len(data), SHOWN)
        first = self._warm_up(data)
        measured: dict[str, list[Measurements]] = {name: [] for name in self.methods}
        batches = []
        with Progress() as progress:
            task = progress.add_task(f"{n} excerpts, {len(self.methods)} methods", total=n * len(self.methods))
            for numbers in np.split(np.arange(n), list(range(batch_size, n, batch_size))):
                batches.append(self._batch(data[numbers.tolist()]))
                for name in self.methods:
                    measured[name].append(self._measure(name, batches[-1], shown))
                    progress.advance(task, len(numbers))
        study = self._study(data, batches, shown)
        sizes = [len(batch.number) for batch in batches]
        for name, parts in measured.items():
            seconds = [part.seconds for part in parts]
            study.methods[name] = {
                **{key: np.concatenate([part.arrays[key] for part in parts], -1) for key in parts[0].arrays},
                **{key: np.concatenate([part.shown[key] for part in parts]) for key in parts[0].shown},
                "seconds_first": np.array(first[name]),
                "seconds_of_batch": np.column_stack([sizes, seconds]),
            }
        self._measure_subset(study, torch.cat([batch.excerpts for batch in batches]), train)
        return study

    def _warm_up(self, data: Excerpts) -> dict[str, float]:
        """Seconds of every method's first explanation, so that its preparation counts neither in passes nor in seconds
        of other explanations."""
        one = self._standardise(data[[0]]["logmel"].to(self.device))
        self.classifier(one)
        return {name: timed(method.explainer, one)[1] for name, method in self.methods.items()}

    def _batch(self, batch: dict[str, Tensor]) -> Batch:
        excerpts = self._standardise(batch["logmel"].to(self.device))
        probability = self.classifier(excerpts)
        pairs = [self.stems(number) for number in batch["number"].tolist()]
        without_voice = accompaniments(pairs, excerpts.shape[1], excerpts.shape[2])
        unsung = self.classifier(self._standardise(without_voice.to(self.device)))
        decided = (probability > self.decision) & (unsung <= self.decision)
        audible = [pair is not None and bool(ideal_mask(pair).any()) for pair in pairs]
        return Batch(
            number=batch["number"].numpy(),
            track=batch["track"].numpy(),
            excerpts=excerpts,
            order=drawn_order(excerpts),
            probability=probability,
            predictors=self.equal_area.predictors(self.explainer, excerpts, probability),
            pairs=pairs,
            localised=decided.cpu().numpy() & np.array(audible),
        )

    def _measure(self, name: str, batch: Batch, shown: np.ndarray) -> Measurements:
        """shown: numbers of the excerpts in the figure. Raises: ConfigError for scores that are not finite."""
        with counted(self.classifier) as passes:
            scores, seconds = timed(self.methods[name].explainer, batch.excerpts)
        finite = scores.isfinite().flatten(1).all(1).tolist()
        if not all(finite):
            number = batch.number[finite.index(False)]
            raise ConfigError(f"compare.methods.{name}: its score of excerpt {number} has values that are not finite")
        order, n = tied_ranks(scores, batch.order), len(scores)
        kept_bins = self.equal_area.masks(order)
        kept, removed = self.equal_area(batch.predictors, kept_bins)
        score, rank, masks = (tensor.cpu().numpy() for tensor in (scores, order, kept_bins))
        arrays = {
            "kept": (kept > self.decision).cpu().numpy(),
            "removed": (removed > self.decision).cpu().numpy(),
            "forwards": np.full(n, passes.forwards / n),
            "backwards": np.full(n, passes.backwards / n),
            **count_regions(masks),
            **localise_batch(batch.pairs, batch.localised, score, rank, masks),
        }
        in_figure = np.isin(batch.number, shown)
        return Measurements(arrays, {"picture": score[in_figure], "rank": rank[in_figure]}, seconds)

    def _study(self, data: Excerpts, batches: list[Batch], shown: np.ndarray) -> Study:
        probability = torch.cat([batch.probability for batch in batches])
        nothing = [torch.stack([predictor.empty for predictor in batch.predictors]) for batch in batches]
        ratios = [np.nan if pair is None else voice_ratio(pair) for batch in batches for pair in batch.pairs]
        return Study(
            fills=self.equal_area.fills,
            areas=np.array(self.equal_area.areas),
            names=[track.name for track in data.tracks],
            track=np.concatenate([batch.track for batch in batches]),
            start=np.asarray(data.start_of),
            probability=probability.cpu().numpy(),
            vocal=(probability > self.decision).cpu().numpy(),
            nothing=(torch.cat(nothing, 1) > self.decision).cpu().numpy(),
            localised=np.concatenate([batch.localised for batch in batches]),
            voice_ratio=np.array(ratios),
            shown=shown,
            logmel=torch.cat([batch.excerpts for batch in batches])[shown].cpu().numpy(),
            layers=self.sanity.layers,
        )

    def _measure_subset(self, study: Study, excerpts: Tensor, train: Train | None) -> None:
        """Add what only a few of the excerpts [N, frames, bands] are used for: sanity, and seconds at batch size 1."""
        numbers = balanced_sample(study.vocal, self.sanity.n)
        few = excerpts[numbers]
        before = {name: method.explainer.score(few) for name, method in self.methods.items()}
        similar = self.sanity.randomise(self.methods, few, before, train)
        for name, method in track(self.methods.items(), f"{len(few)} of them, repeated, with noise, alone"):
            records = self.sanity.repeat(method.explainer, few, before[name]) | similar[name]
            for key, values in records.items():
                of_all = np.full((*values.shape[:-1], len(excerpts)), np.nan)
                of_all[..., numbers] = values
                study.methods[name][key] = of_all
            study.methods[name]["seconds_alone"] = np.array(self.cost.alone(method.explainer, few))


def balanced_sample(vocal: np.ndarray, n: int) -> np.ndarray:
    """Numbers of n excerpts (or all, if there are fewer), ascending: evenly spread, and alternately with the label
    singing and without, as long as there are excerpts of both.

    vocal: the label of every excerpt, [N] bool
    """
    chosen: list[int] = []
    for place, near in enumerate(spread(len(vocal), n)):
        left = [number for number in range(len(vocal)) if number not in chosen]
        alike = [number for number in left if vocal[number] == (place % 2 == 0)] or left
        chosen.append(min(alike, key=lambda number: abs(number - near)))
    return np.array(sorted(chosen))
