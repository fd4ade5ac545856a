"""Controls: explainers that owe nothing to what the classifier hears in an excerpt, for comparison at the same area."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explain.chance import seed_of
from svdx.explain.explainer import Explainer
from svdx.explain.methods.blocks import blocks
from svdx.schema.checks import checked
from svdx.schema.types import PositiveInt, Seed


@checked
class Control(Explainer):
    """An explainer to compare others with. What is random comes from the seed and the excerpt itself, whatever
    batch it is in.
    """

    def __init__(self, classifier: nn.Module, seed: Seed = 0, **options) -> None:
        super().__init__(classifier, **options)
        self.seed = seed

    def _random(self, excerpts: Tensor, *shape: int) -> Tensor:
        """Numbers from [0, 1) for every excerpt, [B, *shape]."""
        generators = [torch.Generator().manual_seed(seed_of(excerpt, self.seed)) for excerpt in excerpts]
        return torch.stack([torch.rand(shape, generator=one) for one in generators]).to(excerpts.device)


class RandomBins(Control):
    """Bins anywhere."""

    name = "random"

    def score(self, excerpts: Tensor) -> Tensor:
        return self._random(excerpts, *excerpts.shape[1:])


@checked
class RandomBlocks(Control):
    """Whole blocks of a grid over time and frequency in random order, the last one in part (from its beginning).

    rows, columns: of the grid, in time and in frequency; 6 × 4 = 24 blocks, as many as the authors' control had
    """

    name = "random_blocks"

    def __init__(
        self, classifier: nn.Module, seed: Seed = 0, rows: PositiveInt = 6, columns: PositiveInt = 4, **options
    ) -> None:
        super().__init__(classifier, seed, **options)
        self.rows, self.columns = rows, columns

    def score(self, excerpts: Tensor) -> Tensor:
        block = blocks(*excerpts.shape[1:], self.rows, self.columns, excerpts.device)
        return self._random(excerpts, self.rows * self.columns)[:, block]


class Loudest(Control):
    """The bins in which the excerpt itself is loudest, against the training mean of their band."""

    name = "energy"

    def score(self, excerpts: Tensor) -> Tensor:
        return excerpts


CONTROLS = {control.name: control for control in (RandomBins, RandomBlocks, Loudest)}


def make_controls(names: Sequence[str], classifier: nn.Module, seed: int) -> list[Control]:
    """Controls of an explanation of the classifier, by name. Raises: ConfigError."""
    check_controls(names)
    return [CONTROLS[name](classifier, seed) for name in names]


def check_controls(names: Sequence[str]) -> None:
    """Raises ConfigError for names of no control."""
    unknown = [name for name in names if name not in CONTROLS]
    if unknown:
        raise ConfigError(f"controls={unknown}: expected some of {', '.join(CONTROLS)}")
