"""Attribution to whole blocks of the excerpt, by what the classifier says while some of them are hidden."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explain.masks import check_choice
from svdx.explain.methods.attribution import Sampled
from svdx.explain.methods.blocks import blocks
from svdx.explain.options import expect_at_least

SEGMENTS = ("blocks", "temporal", "spectral")


class BlockAttributed(Sampled):
    """Fits a linear model to the log-odds of an excerpt with blocks hidden at random; a bin scores as its block does.

    samples: variations of an excerpt, a forward each
    segments: blocks of `rows` × `columns` in time and in frequency, time slices only (temporal: `rows` of them) or
        frequency bands only (spectral: `columns`)
    """

    needs = ("captum", "sklearn")

    def __init__(
        self,
        classifier: nn.Module,
        seed: int = 0,
        samples: int = 2000,
        segments: Literal["blocks", "temporal", "spectral"] = "blocks",
        rows: int = 6,
        columns: int = 4,
        **options,
    ) -> None:
        super().__init__(classifier, seed, **options)
        check_choice("segments", segments, SEGMENTS)
        expect_at_least(2, samples=samples)
        expect_at_least(1, rows=rows, columns=columns)
        self.samples = samples
        self.rows, self.columns = {"blocks": (rows, columns), "temporal": (rows, 1), "spectral": (1, columns)}[segments]
        if self.rows * self.columns == 1:
            raise ConfigError(f"explainer.rows={rows} columns={columns} segments={segments}: one block only")
        if segments != "blocks":
            self.name = f"{self.name}_{segments}"

    def blocks(self, excerpt: Tensor) -> Tensor:
        """The block of every bin, [1, frames, bands]."""
        return blocks(*excerpt.shape[1:], self.rows, self.columns, excerpt.device)[None]
