"""Does an explanation depend on what the classifier has learned, on chance, on a little noise?"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from rich.progress import track as progress
from torch import Tensor, nn

from svdx.comparison.cost import layers
from svdx.comparison.ties import drawn_order, ranks
from svdx.errors import ConfigError
from svdx.explain.explainer import Explainer

Train = Callable[[nn.Module], nn.Module]  # classifier → an inverter trained for it


@dataclass(frozen=True)
class Method:
    """An explainer, and how to make the same of another classifier.

    remake: classifier, inverter (None: the one it has) → explainer; inverts: does it have an inverter at all?
    """

    explainer: Explainer
    remake: Callable[[nn.Module, nn.Module | None], Explainer]
    inverts: bool = False


class Sanity:
    """Similarity of explanations, of some of the excerpts, with those of a classifier that has forgotten.

    A cascade: the weights of all layers from the output down to each of `layers` are shuffled (Adebayo et al.,
    "Sanity Checks for Saliency Maps", NeurIPS 2018, draw them anew), several times. Two scores of the same bins are
    compared by their rank correlation (Spearman's), and by the intersection over union of their best bins.

    layers: how far down, in this order; n: excerpts; draws: shuffled classifiers a layer
    best: share of the bins; noise: standard deviation, in those of the standardised log-mel, of what is added to an
    excerpt to see whether its explanation stays
    retrain: for methods with an inverter, train one for the first shuffled classifier of every layer, too, and one for
    the classifier itself, which they are compared with; epochs: for so long, each of them
    """

    def __init__(
        self,
        layers: list[str],
        n: int = 8,
        draws: int = 2,
        best: float = 0.1,
        noise: float = 0.1,
        retrain: bool = False,
        epochs: int = 2,
        seed: int = 0,
    ) -> None:
        for key, value in {"best": best, "noise": noise}.items():
            if not value > 0:
                raise ConfigError(f"compare.sanity.{key}={value}: expected more than 0")
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
        """Similarities with the explanations of the true classifier by method: `randomised_spearman/LAYER` and
        `randomised_iou/LAYER`, [draws, n] each; and, of inverters trained alike for both classifiers, `retrained_…`,
        [1, n].

        excerpts: [n, frames, bands]; before: their explanations by method; train: makes these inverters, None for none
        """
        found: dict[str, dict[str, np.ndarray]] = {name: {} for name in methods}
        classifier = next(iter(methods.values())).explainer.classifier
        inverting = {name: method for name, method in methods.items() if method.inverts} if train else {}
        trained = _pictures(inverting, classifier, train(classifier), excerpts) if inverting else {}
        for layer in self.layers:
            what = f"{len(excerpts)} of them, weights shuffled down to {layer}"
            shuffled = [randomised(classifier, layer, self.seed, draw) for draw in range(self.draws)]
            after = [_pictures(methods, other, None, excerpts, what) for other in shuffled]
            for name in methods:
                found[name] |= self._alike("randomised", layer, before[name], [pictures[name] for pictures in after])
            if inverting:
                own = _pictures(inverting, shuffled[0], train(shuffled[0]), excerpts)
                for name in inverting:
                    found[name] |= self._alike("retrained", layer, trained[name], [own[name]])
        return found

    def _alike(self, kind: str, layer: str, before: Tensor, after: list[Tensor]) -> dict[str, np.ndarray]:
        return {
            f"{kind}_spearman/{layer}": np.stack([spearman(before, pictures) for pictures in after]),
            f"{kind}_iou/{layer}": np.stack([best_iou(before, pictures, self.best) for pictures in after]),
        }

    def repeat(self, explainer: Explainer, excerpts: Tensor, before: Tensor) -> dict[str, np.ndarray]:
        """deterministic: does the same call give the same scores twice? 0 or 1, [n]
        stability: Spearman's correlation with the explanation of the excerpt and noise; NaN where its label changes

        before: what the first call gave, [n, frames, bands]
        """
        again = explainer.score(excerpts)
        noisy = excerpts + self.noise * noise(excerpts, self.seed)
        vocal, still = (explainer.classifier(some) > explainer.decision for some in (excerpts, noisy))
        similar = spearman(before, explainer.score(noisy))
        same = (before == again).flatten(1).all(1)
        return {
            "deterministic": same.double().cpu().numpy(),
            "stability": np.where((vocal == still).cpu().numpy(), similar, np.nan),
        }


def noise(excerpts: Tensor, seed: int) -> Tensor:
    """Standard normal noise, the same for every excerpt whatever batch it is in, [1, frames, bands]."""
    return torch.randn(1, *excerpts.shape[1:], generator=torch.Generator().manual_seed(seed)).to(excerpts)


def _pictures(
    methods: dict[str, Method],
    classifier: nn.Module,
    inverter: nn.Module | None,
    excerpts: Tensor,
    what: str = "with inverters of their own",
) -> dict[str, Tensor]:
    """What the same methods say with another classifier, and with an inverter of its own where one is given.

    what: before the bar
    """
    each = progress(methods.items(), what)
    return {name: method.remake(classifier, inverter).score(excerpts) for name, method in each}


def randomised(classifier: nn.Module, last: str, seed: int, draw: int = 0) -> nn.Module:
    """A copy of a classifier, frozen, whose layers from the output down to `last` are shuffled.

    Every array of weights and of biases is permuted within itself: it keeps what values it has, and so its scale, but
    not what it has learned. Of one draw, a deeper cascade begins with the same permutations.
    """
    copied = copy.deepcopy(classifier)
    chance = np.random.default_rng([seed, draw])
    names = list(layers(copied))
    for name in reversed(names[names.index(last) :]):
        for values in layers(copied)[name].parameters():
            order = torch.from_numpy(chance.permutation(values.numel())).to(values.device)
            values.data.copy_(values.data.flatten()[order].view(values.shape))
    return copied.eval().requires_grad_(False)


def spearman(one: Tensor, two: Tensor) -> np.ndarray:
    """Rank correlation of scores [B, frames, bands], [B]; NaN where one of them is the same everywhere,
    or no number."""
    from scipy.stats import rankdata

    first, second = (rankdata(score.flatten(1).cpu().numpy(), axis=1) for score in (one, two))
    first, second = (rank - rank.mean(1, keepdims=True) for rank in (first, second))
    spread = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    return np.divide((first * second).sum(1), spread, out=np.full(len(spread), np.nan), where=spread > 0)


def best_iou(one: Tensor, two: Tensor, share: float) -> np.ndarray:
    """Intersection over union of the best `share` of the bins by scores [B, frames, bands], [B]; bins with equal scores
    in the same drawn order. NaN where one of the scores is the same everywhere, or no number."""
    size = max(1, round(share * one[0].numel()))
    first, second = (ranks(score, drawn_order(one)) < size for score in (one, two))
    found = ((first & second).sum((1, 2)) / (first | second).sum((1, 2))).double()
    flat = [score.flatten(1) for score in (one, two)]
    says = [(score.amax(1) > score.amin(1)) & ~score.isnan().any(1) for score in flat]
    return found.where(says[0] & says[1], torch.nan).cpu().numpy()
