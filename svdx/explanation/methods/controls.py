"""Controls, to be compared with explanations of the same area: explainers that do not know why the classifier decides
as it does for an excerpt."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explanation.explainer import Explainer
from svdx.explanation.masks import normalise
from svdx.explanation.methods.blocks import block_numbers
from svdx.explanation.methods.inversion import invert
from svdx.explanation.seeding import excerpt_seed
from svdx.schema.checks import checked
from svdx.schema.types import PositiveInt, Seed

BATCH = 32  # examples per forward pass


@checked
class Control(Explainer):
    """Base class. Random numbers come from the seed and the excerpt alone, so that the batch does not matter."""

    def __init__(self, classifier: nn.Module, seed: Seed = 0, **options) -> None:
        super().__init__(classifier, **options)
        self.seed = seed

    def _random(self, excerpts: Tensor, *shape: int) -> Tensor:
        """Numbers from [0, 1) for every excerpt, [B, *shape]."""
        generators = [torch.Generator().manual_seed(excerpt_seed(excerpt, self.seed)) for excerpt in excerpts]
        return torch.stack([torch.rand(shape, generator=one) for one in generators]).to(excerpts.device)


class RandomBins(Control):
    """Random bins."""

    name = "random"

    def score(self, excerpts: Tensor) -> Tensor:
        return self._random(excerpts, *excerpts.shape[1:])


@checked
class RandomBlocks(Control):
    """Whole blocks of a grid over time and frequency in random order, the last one in part (from its beginning).

    rows, columns: of the grid, in time and in frequency; 6 × 4 = 24 blocks, as in the authors' control
    """

    name = "random_blocks"

    def __init__(
        self, classifier: nn.Module, seed: Seed = 0, rows: PositiveInt = 6, columns: PositiveInt = 4, **options
    ) -> None:
        super().__init__(classifier, seed, **options)
        self.rows, self.columns = rows, columns

    def score(self, excerpts: Tensor) -> Tensor:
        _, frames, bands = excerpts.shape
        block = block_numbers(frames, bands, self.rows, self.columns, excerpts.device)
        return self._random(excerpts, self.rows * self.columns)[:, block]


class Loudest(Control):
    """The bins in which the excerpt is loudest, relative to the training mean of their band."""

    name = "energy"

    def score(self, excerpts: Tensor) -> Tensor:
        return excerpts


class ExampleInversion(Control):
    """Base class of controls that show the inversions of training excerpts, computed at first use.

    inverter: as in `FeatureInversion`; examples: training excerpts, [N, frames, bands], standardised
    """

    def __init__(self, classifier: nn.Module, inverter: nn.Module, examples: Tensor, **options) -> None:
        super().__init__(classifier, **options)
        self.inverter, self.examples = inverter, examples
        self._inverted: tuple[Tensor, Tensor] | None = None

    def inverted_examples(self, excerpts: Tensor) -> tuple[Tensor, Tensor]:
        """The examples' saliences [N, frames, bands] and labels [N] bool, on the device of the excerpts."""
        if self._inverted is None:
            batches = self.examples.to(excerpts).split(BATCH)
            inverted = [normalise(invert(self.classifier, self.inverter, batch)) for batch in batches]
            labels = [self.classifier(batch) > self.decision for batch in batches]
            self._inverted = torch.cat(inverted), torch.cat(labels)
        saliences, vocal = self._inverted
        return saliences.to(excerpts), vocal.to(excerpts.device)

    def candidates(self, excerpts: Tensor) -> Tensor:
        """The examples that have an excerpt's predicted label and are not the excerpt itself, [B, N] bool; all examples
        if there is none."""
        vocal = self.classifier(excerpts) > self.decision
        same = vocal[:, None] == self.inverted_examples(excerpts)[1]
        others = torch.stack([(self.examples.to(excerpt) != excerpt).any(2).any(1) for excerpt in excerpts])
        return same & others | ~(same & others).any(1, keepdim=True)


class ClassMeanMask(ExampleInversion):
    """The mean salience, by inversion, of the training excerpts with the same predicted label."""

    name = "class_mean_mask"

    def score(self, excerpts: Tensor) -> Tensor:
        weights = self.candidates(excerpts).to(excerpts)
        return torch.einsum("bn,nfm->bfm", weights / weights.sum(1, keepdim=True), self.inverted_examples(excerpts)[0])


class OtherTrackMask(ExampleInversion):
    """The salience, by inversion, of a random training excerpt with the same predicted label.

    It comes from another track unless the explained excerpt is from a training track.
    """

    name = "other_track_mask"

    def score(self, excerpts: Tensor) -> Tensor:
        candidates = self.candidates(excerpts)
        drawn = self._random(excerpts, len(self.examples)).where(candidates, -1).argmax(1)
        return self.inverted_examples(excerpts)[0][drawn]


CONTROLS: dict[str, type[Control]] = {control.name: control for control in (RandomBins, RandomBlocks, Loudest)}


def make_controls(names: Sequence[str], classifier: nn.Module, seed: int) -> list[Control]:
    """Controls for explanations of the classifier, by name. Raises: ConfigError."""
    check_controls(names)
    return [CONTROLS[name](classifier, seed) for name in names]


def check_controls(names: Sequence[str]) -> None:
    """Raises ConfigError for unknown names."""
    unknown = [name for name in names if name not in CONTROLS]
    if unknown:
        raise ConfigError(f"controls={unknown}: expected some of {', '.join(CONTROLS)}")
