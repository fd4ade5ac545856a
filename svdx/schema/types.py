"""Named types for annotating options.

An annotation with a string in it, as `AnyPath`, is described by that string in error messages.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

LARGEST_THRESHOLD = 1.1  # keeps no bin; the published curves end there

AnyPath = Annotated[str | int | float | Path, "a path"]  # Hydra reads a folder called 2024 as a number
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]  # NumPy takes no larger one
Share = Annotated[float, Field(ge=0, le=1)]
ProperShare = Annotated[float, Field(gt=0, lt=1)]
Threshold = Annotated[float, Field(ge=0, le=LARGEST_THRESHOLD)]
Fill = Literal["mean", "zero", "floor", "excerpt-mean"]
Keep = Literal["salient", "complement"]

__all__ = [
    "LARGEST_THRESHOLD",
    "AnyPath",
    "Fill",
    "Keep",
    "NonNegativeFloat",
    "NonNegativeInt",
    "PositiveFloat",
    "PositiveInt",
    "ProperShare",
    "Seed",
    "Share",
    "Threshold",
]
