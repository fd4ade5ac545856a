"""One pass over the excerpts: every method explains every batch, and what is measured of it goes into the records."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from rich.progress import Progress
from rich.progress import track as progress
from torch import Tensor
from torch.utils.data import Dataset

from svdx.comparison.cost import Cost, counted, timed
from svdx.comparison.equal_area import EqualArea
from svdx.comparison.localisation import ideal_mask, localise_batch, voice_ratio
from svdx.comparison.records import Study, gathered, placed
from svdx.comparison.regions import count_regions
from svdx.comparison.sanity import Method, Sanity, Train
from svdx.comparison.stems import Pair, raw
from svdx.comparison.ties import drawn_order, ranks
from svdx.errors import ConfigError
from svdx.evaluation.predictions import MaskPredictor
from svdx.explain.explainer import Explainer

SHOWN = 6  # excerpts on the sheet


@dataclass(frozen=True)
class Batch:
    """B excerpts and all that is known of them before any method explains them.

    number, track: [B]; excerpts: [B, frames, bands], standardised; order: of bins with equal scores, [B, bins]
    probability: of singing, [B]
    predictors: one a fill; pairs: the stems, where they are known; localised: does the voice decide the label? [B] bool
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
class Measured:
    """Of one method and batch: records [..., B], scores and ranks of excerpts to be shown, and the seconds."""

    arrays: dict[str, np.ndarray]
    picture: np.ndarray
    rank: np.ndarray
    seconds: float


class Bench:
    """Methods over one classifier, and what they are asked.

    methods: by name; stems: an excerpt's number → its voice and the rest; device: where the networks lie
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
        self.any: Explainer = next(iter(methods.values())).explainer
        self.classifier = self.any.classifier
        sanity.expect_layers(self.classifier)

    @torch.no_grad()
    def __call__(self, data: Dataset, batch_size: int = 32, train: Train | None = None) -> Study:
        """data: `svdx.data.excerpts.Excerpts`; train: makes inverters of other classifiers, None for none"""
        n, shown = len(data), spread(len(data), SHOWN)
        found: dict[str, list[Measured]] = {name: [] for name in self.methods}
        batches = []
        first = self._warm_up(data)
        with Progress() as progress:
            task = progress.add_task(f"{n} excerpts, {len(self.methods)} methods", total=n * len(self.methods))
            for some in torch.arange(n).split(batch_size):
                batches.append(self.batch(data[some.numpy()]))
                for name, method in self.methods.items():
                    found[name].append(self.measure(name, method.explainer, batches[-1], shown))
                    progress.advance(task, len(some))
        study = self._study(data, batches, shown)
        for name, pieces in found.items():
            timing = np.array([[len(batch.number), piece.seconds] for batch, piece in zip(batches, pieces)])
            study.methods[name] = gathered([piece.arrays for piece in pieces])
            study.methods[name] |= {"seconds_first": np.array(first[name])}
            study.methods[name]["seconds_of_batch"] = timing
            for kind in ("picture", "rank"):
                study.methods[name][kind] = np.concatenate([getattr(piece, kind) for piece in pieces])
        self._ask_few(study, torch.cat([batch.excerpts for batch in batches]), train)
        return study

    def _warm_up(self, data: Dataset) -> dict[str, float]:
        """Seconds of every method's first explanation: what it prepares then counts neither as passes nor as seconds of
        the others."""
        one = self._standardised(data[np.array([0])]["logmel"])
        self.classifier(one)
        return {name: timed(method.explainer, one)[1] for name, method in self.methods.items()}

    def batch(self, batch: dict[str, Tensor]) -> Batch:
        """A batch of the data with what is to be known of it."""
        excerpts = self._standardised(batch["logmel"])
        whole = self.classifier(excerpts)
        pairs = [self.stems(number) for number in batch["number"].tolist()]
        without = self.classifier(self._standardised(raw(pairs, *excerpts.shape[1:])))
        decided = (whole > self.any.decision) & (without <= self.any.decision)
        known = [pair is not None and bool(ideal_mask(pair).any()) for pair in pairs]
        predictors = self.equal_area.predictors(self.any, excerpts, whole)
        localised = decided.cpu().numpy() & np.array(known)
        number, track = (batch[key].numpy() for key in ("number", "track"))
        return Batch(number, track, excerpts, drawn_order(excerpts), whole, predictors, pairs, localised)

    def _standardised(self, logmel: Tensor) -> Tensor:
        return self.classifier.standardise(logmel.to(self.device))

    def measure(self, name: str, explainer: Explainer, batch: Batch, shown: np.ndarray) -> Measured:
        """What is recorded of a method on a batch. shown: numbers of the excerpts whose scores are kept

        Raises: ConfigError for scores that are no numbers
        """
        with counted(self.classifier) as passes:
            score, seconds = timed(explainer, batch.excerpts)
        finite = score.isfinite().flatten(1).all(1).tolist()
        if not all(finite):
            number = batch.number[finite.index(False)]
            raise ConfigError(f"compare.methods.{name}: its score of excerpt {number} has values that are not finite")
        rank, n = ranks(score, batch.order), len(score)
        masks = self.equal_area.masks(rank)
        kept, removed = (p > explainer.decision for p in self.equal_area(batch.predictors, masks))
        seen = masks.cpu().numpy()
        score, rank = (array.cpu().numpy() for array in (score, rank))
        arrays = {
            "kept": kept.cpu().numpy(),
            "removed": removed.cpu().numpy(),
            "forwards": np.full(n, passes.forwards / n),
            "backwards": np.full(n, passes.backwards / n),
            **count_regions(seen),
            **localise_batch(batch.pairs, batch.localised, score, rank, seen),
        }
        seen = np.isin(batch.number, shown)
        return Measured(arrays, score[seen], rank[seen], seconds)

    def _study(self, data: Dataset, batches: list[Batch], shown: np.ndarray) -> Study:
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
            vocal=(probability > self.any.decision).cpu().numpy(),
            nothing=(torch.cat(nothing, 1) > self.any.decision).cpu().numpy(),
            localised=np.concatenate([batch.localised for batch in batches]),
            voice_ratio=np.array(ratios),
            shown=shown,
            logmel=torch.cat([batch.excerpts for batch in batches])[shown].cpu().numpy(),
        )

    def _ask_few(self, study: Study, excerpts: Tensor, train: Train | None) -> None:
        """What only some of all excerpts [N, frames, bands] are asked: sanity, and time for one alone."""
        numbers, n = of_both(study.vocal, self.sanity.n), len(excerpts)
        some = excerpts[numbers]
        before = {name: method.explainer.score(some) for name, method in self.methods.items()}
        similar = self.sanity.randomise(self.methods, some, before, train)
        for name, method in progress(self.methods.items(), f"{len(some)} of them, repeated, with noise, alone"):
            found = self.sanity.repeat(method.explainer, some, before[name]) | similar[name]
            study.methods[name] |= {key: placed(values, numbers, n) for key, values in found.items()}
            study.methods[name]["seconds_alone"] = np.array(self.cost.alone(method.explainer, some))


def spread(total: int, n: int) -> np.ndarray:
    """n numbers (or all, if there are fewer) from the first to the last of `total`, evenly spaced, [n] int."""
    return np.linspace(0, total - 1, min(n, total)).astype(int)


def of_both(vocal: np.ndarray, n: int) -> np.ndarray:
    """n numbers (or all, if there are fewer) of excerpts, spread as evenly as can be while every other one is called
    singing, or as long as there are such and others; ascending.

    vocal: the label of each, bool
    """
    chosen: list[int] = []
    for place, near in enumerate(spread(len(vocal), n)):
        left = [number for number in range(len(vocal)) if number not in chosen]
        alike = [number for number in left if vocal[number] == (place % 2 == 0)] or left
        chosen.append(min(alike, key=lambda number: abs(number - near)))
    return np.array(sorted(chosen))
