"""Does an explanation depend on what the classifier has learned, on chance, on a little noise?"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
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

    A cascade: the weights of all layers from the output down to each of `layers` are drawn anew (Adebayo et al.,
    "Sanity Checks for Saliency Maps", NeurIPS 2018). Two scores of the same bins are compared by their rank correlation
    (Spearman's), and by the intersection over union of their best bins.

    layers: how far down, in this order; n: excerpts; best: share of the bins; noise: standard deviation, in those of
    the standardised log-mel, of what is added to an excerpt to see whether its explanation stays
    retrain: for methods with an inverter, train one for each of these classifiers, too; epochs: for so long
    """

    def __init__(
        self,
        layers: list[str],
        n: int = 4,
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
        self.retrain, self.epochs = retrain, epochs

    def expect_layers(self, classifier: nn.Module) -> None:
        """Raises ConfigError for a layer that the classifier does not have."""
        for layer in self.layers:
            if layer not in layers(classifier):
                raise ConfigError(f"compare.sanity.layers: {layer}: expected some of {', '.join(layers(classifier))}")

    def randomise(
        self, methods: dict[str, Method], excerpts: Tensor, before: dict[str, Tensor], train: Train | None = None
    ) -> dict[str, dict[str, np.ndarray]]:
        """Similarities with the explanations of the true classifier, [n] each, by method: `randomised_spearman/LAYER`
        and `randomised_iou/LAYER`, and with an inverter of its own for every classifier `retrained_…`.

        excerpts: [n, frames, bands]; before: their explanations by method; train: makes these inverters, None for none
        """
        found: dict[str, dict[str, np.ndarray]] = {name: {} for name in methods}
        classifier = next(iter(methods.values())).explainer.classifier
        for layer in self.layers:
            forgetful = randomised(classifier, layer, self.seed)
            inverter = train(forgetful) if train else None
            for name, method in methods.items():
                kinds = [("randomised", None)]
                if inverter is not None and method.inverts:
                    kinds.append(("retrained", inverter))
                for kind, own in kinds:
                    after = method.remake(forgetful, own).picture(excerpts)
                    found[name][f"{kind}_spearman/{layer}"] = spearman(before[name], after)
                    found[name][f"{kind}_iou/{layer}"] = best_iou(before[name], after, self.best)
        return found

    def repeat(self, explainer: Explainer, excerpts: Tensor, before: Tensor) -> dict[str, np.ndarray]:
        """deterministic: does the same call give the same scores twice? 0 or 1, [n]
        stability: Spearman's correlation with the explanation of the excerpt and noise; NaN where its label changes

        before: what the first call gave, [n, frames, bands]
        """
        again = explainer.picture(excerpts)
        noisy = excerpts + self.noise * noise(excerpts, self.seed)
        vocal, still = (explainer.classifier(some) > explainer.decision for some in (excerpts, noisy))
        similar = spearman(before, explainer.picture(noisy))
        same = (before == again).flatten(1).all(1)
        return {
            "deterministic": same.double().cpu().numpy(),
            "stability": np.where((vocal == still).cpu().numpy(), similar, np.nan),
        }


def noise(excerpts: Tensor, seed: int) -> Tensor:
    """Standard normal noise, the same for every excerpt whatever batch it is in, [1, frames, bands]."""
    return torch.randn(1, *excerpts.shape[1:], generator=torch.Generator().manual_seed(seed)).to(excerpts)


def randomised(classifier: nn.Module, last: str, seed: int) -> nn.Module:
    """A copy of a classifier, frozen, whose layers from the output down to `last` are drawn anew.

    The weights are those that the layers begin with by themselves.
    """
    device = next(classifier.parameters()).device
    copied = copy.deepcopy(classifier).cpu()
    names = list(layers(copied))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name in reversed(names[names.index(last) :]):
            layers(copied)[name].reset_parameters()
    return copied.to(device).eval().requires_grad_(False)


def spearman(one: Tensor, two: Tensor) -> np.ndarray:
    """Rank correlation of scores [B, frames, bands], [B]; NaN where one of them is the same everywhere."""
    from scipy.stats import rankdata

    first, second = (rankdata(score.flatten(1).cpu().numpy(), axis=1) for score in (one, two))
    first, second = (rank - rank.mean(1, keepdims=True) for rank in (first, second))
    spread = np.sqrt((first**2).sum(1) * (second**2).sum(1))
    return np.divide((first * second).sum(1), spread, out=np.full(len(spread), np.nan), where=spread > 0)


def best_iou(one: Tensor, two: Tensor, share: float) -> np.ndarray:
    """Intersection over union of the best `share` of the bins by scores [B, frames, bands], [B]; bins with equal scores
    in the same drawn order."""
    size = max(1, round(share * one[0].numel()))
    first, second = (ranks(score, drawn_order(one)) < size for score in (one, two))
    return ((first & second).sum((1, 2)) / (first | second).sum((1, 2))).double().cpu().numpy()
