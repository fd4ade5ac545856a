"""Attribution to whole blocks of the excerpt, by what the classifier says while some of them are hidden."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from svdx.errors import ConfigError
from svdx.explain.methods.attribution import Sampled
from svdx.explain.methods.blocks import blocks
from svdx.schema.checks import checked
from svdx.schema.types import PositiveInt, Seed

Segments = Literal["blocks", "temporal", "spectral"]


@checked
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
        seed: Seed = 0,
        samples: Annotated[int, Field(ge=2)] = 2000,
        segments: Segments = "blocks",
        rows: PositiveInt = 6,
        columns: PositiveInt = 4,
        **options,
    ) -> None:
        super().__init__(classifier, seed, **options)
        self.samples = samples
        self.rows, self.columns = grid(segments, rows, columns)
        if segments != "blocks":
            self.name = f"{self.name}_{segments}"

    @staticmethod
    def check_options(*, segments: Segments, rows: int, columns: int, **_: object) -> None:
        if grid(segments, rows, columns) == (1, 1):
            raise ConfigError(f"explainer.rows={rows} columns={columns} segments={segments}: one block only")

    def blocks(self, excerpt: Tensor) -> Tensor:
        """The block of every bin, [1, frames, bands]."""
        return blocks(*excerpt.shape[1:], self.rows, self.columns, excerpt.device)[None]


def grid(segments: Segments, rows: int, columns: int) -> tuple[int, int]:
    """Rows and columns of the grid of blocks; slices of time or bands of frequency have one of the other."""
    return {"blocks": (rows, columns), "temporal": (rows, 1), "spectral": (1, columns)}[segments]
