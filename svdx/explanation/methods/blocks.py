"""Attribution by hiding parts of the excerpt: a sliding window, or a random choice of blocks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explanation.methods.attribution import AT_ONCE, Attribution, SampledAttribution
from svdx.schema.checks import checked
from svdx.schema.types import PositiveFloat, PositiveInt, Seed

Bins = Annotated[Annotated[list[PositiveInt], Field(min_length=2, max_length=2)], "[frames,bands], 1 or more of each"]
Segments = Literal["blocks", "temporal", "spectral"]
WINDOW, STRIDE = [19, 20], [5, 5]


@checked
class Occlusion(Attribution):
    """A window that slides over the excerpt and holds the training mean (Zeiler and Fergus, ECCV 2014), by Captum's
    Occlusion. The score of a bin is the mean loss of evidence over the windows that cover it.

    The paper slides a grey square over images and gives neither its size nor its stride. A window as large as a block
    of SLIME takes 273 forward passes; `stride=[19,20]` takes 28 and is coarse.

    window, stride: frames and bands
    """

    name = "occlusion"

    def __init__(self, classifier: nn.Module, window: Bins = WINDOW, stride: Bins = STRIDE, **options) -> None:
        super().__init__(classifier, **options)
        self.window, self.stride = tuple(window), tuple(stride)

    @classmethod
    def check_options(cls, **options: Any) -> None:
        window, stride = options["window"], options["stride"]
        if any(step > size for step, size in zip(stride, window, strict=True)):
            raise ConfigError(f"explainer.stride={list(stride)}: steps over bins with window={list(window)}")

    def attribute(self, model: nn.Module, excerpts: Tensor, label: Tensor) -> Tensor:
        from captum.attr import Occlusion as Method

        if any(size > side for size, side in zip(self.window, excerpts.shape[1:], strict=True)):
            raise ConfigError(f"explainer.window={list(self.window)}: larger than an excerpt")
        steps = {"strides": self.stride, "perturbations_per_eval": max(1, AT_ONCE // len(excerpts))}
        return Method(model).attribute(excerpts, self.window, baselines=0, target=label, **steps)


@checked
class BlockAttribution(SampledAttribution):
    """Fits a linear model to the log-odds of an excerpt with blocks hidden at random. A bin has the score of its block.

    samples: number of variations of an excerpt, with one forward pass each
    segments: blocks of `rows` × `columns` in time and frequency, time slices only (temporal: `rows` of them), or
        frequency bands only (spectral: `columns`)
    """

    needs = ("captum", "sklearn")

    def __init__(
        self,
        classifier: nn.Module,
        seed: Seed = 0,
        samples: Annotated[int, Field(ge=2)] = 2000,
        segments: Segments = "blocks",
        rows: PositiveInt = 6,
        columns: PositiveInt = 4,
        **options,
    ) -> None:
        super().__init__(classifier, seed, **options)
        self.samples = samples
        self.rows, self.columns = grid_of(segments, rows, columns)
        if segments != "blocks":
            self.name = f"{self.name}_{segments}"

    @classmethod
    def check_options(cls, **options: Any) -> None:
        segments, rows, columns = (options[name] for name in ("segments", "rows", "columns"))
        if grid_of(segments, rows, columns) == (1, 1):
            raise ConfigError(f"explainer.rows={rows} columns={columns} segments={segments}: one block only")

    def variations(self, excerpt: Tensor) -> dict[str, Any]:
        """Captum's arguments for the variations of an excerpt [1, frames, bands]."""
        _, frames, bands = excerpt.shape
        blocks = block_numbers(frames, bands, self.rows, self.columns, excerpt.device)
        return {"n_samples": self.samples, "perturbations_per_eval": AT_ONCE, "feature_mask": blocks[None]}


@checked
class Slime(BlockAttribution):
    """LIME over time–frequency blocks (Mishra, Sturm and Dixon, ISMIR 2017), by Captum's Lime.

    As in the authors' program for SVDNet: 24 blocks, each hidden with probability ½ in 2000 variations, the first of
    which is the excerpt itself; a hidden block holds the training mean; ridge regression (α = 1, with intercept) with
    variations weighted by √exp(−d²/w²), where d is the cosine distance of the shown blocks from all blocks.

    Unlike it, the evidence is the log-odds of the predicted class, not the probability of singing; all blocks are
    scored, not the three best; and blocks are as equal as possible (20, 19, 19, 19, 19 and 19 frames), where theirs had
    the spare frame in the last one. Their temporal explanations were of waveforms; here they are of the same excerpts.

    kernel_width: w; the others as in `BlockAttribution`
    """

    name = "slime"

    def __init__(self, classifier: nn.Module, seed: Seed = 0, kernel_width: PositiveFloat = 0.25, **options) -> None:
        super().__init__(classifier, seed, **options)
        self.kernel_width = kernel_width

    def sample(self, model: nn.Module, excerpt: Tensor, label: Tensor) -> Tensor:
        from captum._utils.models.linear_model import SkLearnRidge
        from captum.attr import Lime

        def weight(original: Tensor, variation: Tensor, shown: Tensor, **_: object) -> float:
            return proximity(shown, self.kernel_width)

        method = Lime(model, SkLearnRidge(alpha=1.0), weight, shown_blocks)
        return method.attribute(excerpt, target=label, baselines=0, **self.variations(excerpt))


class KernelShap(BlockAttribution):
    """Shapley values of the blocks by a weighted linear regression (Lundberg and Lee, NIPS 2017), by Captum's
    KernelShap.

    The values of all blocks sum to the difference between the excerpt's log-odds and the training mean's. There are as
    many variations as in SLIME; Lundberg's program draws 2048 and two for every block.
    """

    name = "kernel_shap"

    def sample(self, model: nn.Module, excerpt: Tensor, label: Tensor) -> Tensor:
        from captum.attr import KernelShap as Method

        return Method(model).attribute(excerpt, target=label, baselines=0, **self.variations(excerpt))


def grid_of(segments: Segments, rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of the grid of blocks; time slices have one column, frequency bands one row."""
    return {"blocks": (rows, columns), "temporal": (rows, 1), "spectral": (1, columns)}[segments]


def block_numbers(frames: int, bands: int, rows: int, columns: int, device: torch.device | str = "cpu") -> Tensor:
    """The block number of every bin, row by row, in a grid of equal blocks, [frames, bands].

    rows, columns: of the grid, in time and in frequency

    >>> block_numbers(2, 6, rows=2, columns=3).tolist()
    [[0, 0, 1, 1, 2, 2], [3, 3, 4, 4, 5, 5]]
    """
    row = torch.arange(frames, device=device) * rows // frames
    column = torch.arange(bands, device=device) * columns // bands
    return row[:, None] * columns + column


def shown_blocks(excerpt: Tensor, num_interp_features: int, **_: object) -> Iterator[Tensor]:
    """Endless choices of the blocks that are shown, 0 or 1, [1, blocks]: first all, then each with probability ½."""
    yield torch.ones(1, num_interp_features, dtype=torch.long, device=excerpt.device)
    while True:
        yield torch.randint(2, (1, num_interp_features)).to(excerpt.device)


def proximity(shown: Tensor, width: float) -> float:
    """Weight of a variation, √exp(−d²/width²) with d = 1 − √(share of the blocks that are shown).

    That is the cosine distance between a vector of zeros and ones and the vector of ones.

    >>> proximity(torch.ones(1, 24), 0.25)
    1.0
    """
    distance = 1 - math.sqrt(float(shown.float().mean()))
    return math.exp(-((distance / width) ** 2) / 2)
