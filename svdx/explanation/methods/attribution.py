"""Base classes of explainers that attribute the log-odds of the predicted class to the bins, by Captum."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explanation.evidence import TwoClasses, recording
from svdx.explanation.explainer import Explainer
from svdx.explanation.seeding import seeded
from svdx.schema.checks import checked
from svdx.schema.types import Seed

AT_ONCE = 32  # excerpts, or variations of one, per forward pass
PACKAGES = {"captum": "captum", "sklearn": "scikit-learn"}  # module → package


@checked
class Attribution(Explainer):
    """Attributes the log-odds of the predicted class: singing if the probability is above the decision threshold.

    A subclass calls Captum in `attribute`. The baseline, for methods that have one, is the training mean, 0 in a
    standardised excerpt: the paper's fill of masked bins.

    Raises: ConfigError if Captum, or scikit-learn where it is needed, is not installed.
    """

    needs: tuple[str, ...] = ("captum",)
    at_once = AT_ONCE

    def __init__(self, classifier: nn.Module, **options) -> None:
        super().__init__(classifier, **options)

    @classmethod
    def check_options(cls, **options: Any) -> None:
        for module in cls.needs:
            if find_spec(module) is None:
                raise ConfigError(f"explainer={cls.name} needs {PACKAGES[module]}: pip install 'svdx[compare]'")

    @abstractmethod
    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        """Score every bin [B, frames, bands] for the evidence `model(excerpts)[:, label]`.

        model: of `model()`; label: [B], 0 no singing or 1 singing
        """

    def model(self) -> nn.Module:
        """The classifier with two outputs, the log-odds of no singing and of singing."""
        return TwoClasses(self.classifier)

    def score(self, excerpts: Tensor) -> Tensor:
        return self.score_and_predict(excerpts)[0]

    def score_and_predict(self, excerpts: Tensor) -> tuple[Tensor, Tensor]:
        probability = self.classifier(excerpts)
        with recording(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Setting .*hooks", UserWarning)  # Captum removes them again
            label = (probability > self.decision).long()
            batches = zip(excerpts.clone().split(self.at_once), label.split(self.at_once), strict=True)
            model = self.model()
            scores = [self.attribute(model, batch.requires_grad_(), labels).detach() for batch, labels in batches]
        return torch.cat(scores), probability


@checked
class SampledAttribution(Attribution):
    """A method that draws at random, from the seed and the excerpt alone, and so explains one excerpt at a time."""

    at_once = 1

    def __init__(self, classifier: nn.Module, seed: Seed = 0, **options) -> None:
        super().__init__(classifier, **options)
        self.seed = seed

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        with seeded(excerpts[0], self.seed):
            return self.sample(model, excerpts, label)

    @abstractmethod
    def sample(self, model: nn.Module, excerpt: Tensor, label: Tensor) -> Tensor:
        """As `attribute`, for one excerpt [1, frames, bands], drawing from torch's global generators."""
