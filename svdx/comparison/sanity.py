"""Sanity checks: whether an explanation depends on what the classifier has learned, on chance, on a little noise."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from rich.progress import track
from torch import Tensor, nn

from svdx.comparison.cost import layers
from svdx.comparison.equal_area import drawn_order, tied_ranks
from svdx.comparison.study import similarity
from svdx.errors import ConfigError
from svdx.explanation.explainer import Explainer
from svdx.schema.checks import checked
from svdx.schema.types import PositiveFloat, PositiveInt, Seed

Train = Callable[[nn.Module], nn.Module]  # classifier → an inverter trained for it


@dataclass(frozen=True)
class Method:
    """An explainer, and how to make the same explainer of another classifier.

    remake: classifier, inverter (None: the present one) → explainer
    inverts: whether it has an inverter
    """

    explainer: Explainer
    remake: Callable[[nn.Module, nn.Module | None], Explainer]
    inverts: bool = False


@checked
class Sanity:
    """Similarity of the explanations of a classifier to those of a classifier with shuffled weights.

    A cascade: the weights of all layers from the output down to each of `layers` are shuffled, several times (Adebayo
    et al., "Sanity Checks for Saliency Maps", NeurIPS 2018, initialise them again). Two scores of the same bins are
    compared by their rank correlation (Spearman's), and by the intersection over union of their best bins.

    layers: down to which the weights are shuffled, in this order; n: number of excerpts; draws: of weights per layer
    best: share of the bins that counts as best
    noise: standard deviation of the noise that is added to an excerpt to measure the stability of its explanation, in
        standard deviations of the log-mel
    retrain: for methods with an inverter, also train one for the first draw of every layer, and one for the classifier
        itself, to be compared with it; epochs: of each of these trainings
    """

    def __init__(
        self,
        layers: list[str],
        n: PositiveInt = 8,
        draws: PositiveInt = 2,
        best: Annotated[float, Field(gt=0, le=1)] = 0.1,
        noise: PositiveFloat = 0.1,
        retrain: bool = False,
        epochs: PositiveInt = 2,
        seed: Seed = 0,
    ) -> None:
        self.n, self.layers, self.best, self.noise, self.seed = n, list(layers), best, noise, seed
        self.draws, self.retrain, self.epochs = draws, retrain, epochs

    def expect_layers(self, classifier: nn.Module) -> None:
        """Raises ConfigError for a layer that the classifier does not have."""
        for layer in self.layers:
            if layer not in layers(classifier):
                raise ConfigError(f"compare.sanity.layers: {layer}: expected some of {', '.join(layers(classifier))}")

    def randomise(
        self, methods: dict[str, Method], excerpts: Tensor, before: dict[str, Tensor], train: Train | None = None
    ) -> dict[str, dict[str, np.ndarray]]:
        """Records by method, named by `study.similarity`: of kind randomised, [draws, n]; of kind retrained, [1, n].

        excerpts: [n, frames, bands]; before: their scores by method
        train: makes the inverters of the kind retrained; None: without this kind
        """
        classifier = next(iter(methods.values())).explainer.classifier
        records: dict[str, dict[str, np.ndarray]] = {name: {} for name in methods}
        inverting = {name: method for name, method in methods.items() if method.inverts}
        trained = _scores(inverting, classifier, train(classifier), excerpts) if train and inverting else {}
        for layer in self.layers:
            text = f"{len(excerpts)} of them, weights shuffled down to {layer}"
            shuffled = [randomised(classifier, layer, self.seed, draw) for draw in range(self.draws)]
            after = [_scores(methods, other, None, excerpts, text) for other in shuffled]
            for name in methods:
                records[name] |= self._similarities(
                    "randomised", layer, before[name], [scores[name] for scores in after]
                )
            if train and inverting:
                retrained = _scores(inverting, shuffled[0], train(shuffled[0]), excerpts)
                for name in inverting:
                    records[name] |= self._similarities("retrained", layer, trained[name], [retrained[name]])
        return records

    def _similarities(self, kind: str, layer: str, before: Tensor, after: list[Tensor]) -> dict[str, np.ndarray]:
        return {
            similarity(kind, "spearman", layer): np.stack([spearman(before, scores) for scores in after]),
            similarity(kind, "iou", layer): np.stack([best_iou(before, scores, self.best) for scores in after]),
        }

    def repeat(self, explainer: Explainer, excerpts: Tensor, before: Tensor) -> dict[str, np.ndarray]:
        """deterministic: whether a second call gives the same scores, 0 or 1, [n]
        stability: Spearman's correlation with the scores of the excerpt plus noise; NaN if the noise changes its label

        before: the scores of a first call, [n, frames, bands]
        """
        again = explainer.score(excerpts)
        noisy = excerpts + self.noise * noise(excerpts, self.seed)
        label, noisy_label = (explainer.classifier(some) > explainer.decision for some in (excerpts, noisy))
        stability = spearman(before, explainer.score(noisy))
        same = (before == again).flatten(1).all(1)
        return {
            "deterministic": same.double().cpu().numpy(),
            "stability": np.where((label == noisy_label).cpu().numpy(), stability, np.nan),
        }


def noise(excerpts: Tensor, seed: int) -> Tensor:
    """Standard normal noise, the same for every excerpt, [1, frames, bands]."""
    return torch.randn(1, *excerpts.shape[1:], generator=torch.Generator().manual_seed(seed)).to(excerpts)


def _scores(
    methods: dict[str, Method],
    classifier: nn.Module,
    inverter: nn.Module | None,
    excerpts: Tensor,
    text: str = "with inverters of their own",
) -> dict[str, Tensor]:
    """Scores by the same methods of another classifier, with another inverter unless it is None.

    text: of the progress bar
    """
    each = track(methods.items(), text)
    return {name: method.remake(classifier, inverter).score(excerpts) for name, method in each}


def randomised(classifier: nn.Module, last: str, seed: int, draw: int = 0) -> nn.Module:
    """A frozen copy of a classifier whose layers from the output down to `last` are shuffled.

    Every array of weights and of biases is permuted: it keeps its values, and so its scale, but not what it has
    learned. Within a draw, a deeper cascade begins with the same permutations.
    """
    copied = copy.deepcopy(classifier)
    generator = np.random.default_rng([seed, draw])
    names = list(layers(copied))
    for name in reversed(names[names.index(last) :]):
        for values in layers(copied)[name].parameters():
            order = torch.from_numpy(generator.permutation(values.numel())).to(values.device)
            values.data.copy_(values.data.flatten()[order].view(values.shape))
    return copied.eval().requires_grad_(False)


def spearman(one: Tensor, two: Tensor) -> np.ndarray:
    """Rank correlation of scores [B, frames, bands], [B]; NaN if one of them is constant or contains NaN."""
    from scipy.stats import rankdata

    first, second = (rankdata(score.flatten(1).cpu().numpy(), axis=1) for score in (one, two))
    first, second = (rank - rank.mean(1, keepdims=True) for rank in (first, second))
    scale = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    return np.divide((first * second).sum(1), scale, out=np.full(len(scale), np.nan), where=scale > 0)


def best_iou(one: Tensor, two: Tensor, share: float) -> np.ndarray:
    """Intersection over union of the best `share` of the bins by scores [B, frames, bands], [B], with the same random
    order of equal scores in both; NaN if one of them is constant or contains NaN."""
    size = max(1, round(share * one[0].numel()))
    first, second = (tied_ranks(score, drawn_order(one)) < size for score in (one, two))
    iou = ((first & second).sum((1, 2)) / (first | second).sum((1, 2))).double()
    flat = [score.flatten(1) for score in (one, two)]
    informative = [(score.amax(1) > score.amin(1)) & ~score.isnan().any(1) for score in flat]
    return iou.where(informative[0] & informative[1], torch.nan).cpu().numpy()
