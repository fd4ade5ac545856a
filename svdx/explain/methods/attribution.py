"""Attribution methods as explainers: what each bin adds to the log-odds of the predicted class, by Captum."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from importlib.util import find_spec

import torch
from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explain.chance import own_chance
from svdx.explain.evidence import TwoClasses, recording
from svdx.explain.explainer import Explainer
from svdx.schema.checks import checked
from svdx.schema.types import Seed

AT_ONCE = 32  # excerpts, or variations of one, that go through a network together
PACKAGES = {"captum": "captum", "sklearn": "scikit-learn"}  # module → package


@checked
class Attributed(Explainer):
    """Attributes the log-odds of the predicted class, singing where the probability is above the decision threshold.

    A child calls Captum in `attribute`. Where a method compares with a baseline, that is the training mean, 0 in a
    standardised excerpt: what the paper fills masked bins with.
    """

    needs: tuple[str, ...] = ("captum",)
    at_once = AT_ONCE

    def __init__(self, classifier: nn.Module, **options) -> None:
        super().__init__(classifier, **options)

    @classmethod
    def check_options(cls, **_: object) -> None:
        for module in cls.needs:
            if find_spec(module) is None:
                raise ConfigError(f"explainer={cls.name} needs {PACKAGES[module]}: pip install 'svdx[compare]'")

    @abstractmethod
    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        """Score of every bin [B, frames, bands] for the evidence `model(excerpts)[:, label]`.

        model: the classifier with two columns, log-odds of no singing and of singing; label: [B], 0 or 1
        """

    def model(self) -> nn.Module:
        """The classifier as `attribute` takes it."""
        return TwoClasses(self.classifier)

    def score(self, excerpts: Tensor) -> Tensor:
        return self.score_and_predict(excerpts)[0]

    def score_and_predict(self, excerpts: Tensor) -> tuple[Tensor, Tensor]:
        probability = self.classifier(excerpts)
        with recording(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Setting .*hooks", UserWarning)  # Captum removes them again
            label = (probability > self.decision).long()
            few = zip(excerpts.clone().split(self.at_once), label.split(self.at_once), strict=True)
            model = self.model()
            scores = [self.attribute(model, some.requires_grad_(), labels).detach() for some, labels in few]
        return torch.cat(scores), probability


@checked
class Sampled(Attributed):
    """A method that draws at random: from the seed and the excerpt itself, and so one excerpt after the other."""

    at_once = 1

    def __init__(self, classifier: nn.Module, seed: Seed = 0, **options) -> None:
        super().__init__(classifier, **options)
        self.seed = seed

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        with own_chance(excerpts[0], self.seed):
            return self.sample(model, excerpts, label)

    @abstractmethod
    def sample(self, model: nn.Module, excerpt: Tensor, label: Tensor) -> Tensor:
        """As `attribute`, of one excerpt [1, frames, bands], from torch's global generators."""
