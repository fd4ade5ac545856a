"""A unit of the classifier: the excerpts that move it most, as a picture and as arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from svdx.audio.logmel import FrontEnd
from svdx.explain.maximisation import Extreme
from svdx.report.figures import unit_figure


def document_unit(unit: str, found: dict[str, Extreme], frontend: FrontEnd, directory: Path) -> dict[str, str | float]:
    """Write maximised.png and maximised.npz (maximum, maximum_trace, …) into `directory`; return the activations.

    found: what `svdx.explain.maximisation.extremes` gives of the unit
    """
    directory.mkdir(parents=True, exist_ok=True)
    unit_figure(unit, found, frontend).savefig(directory / "maximised.png", dpi=150)
    arrays = {name: extreme.excerpt.numpy() for name, extreme in found.items()}
    traces = {f"{name}_trace": extreme.trace.numpy() for name, extreme in found.items()}
    np.savez_compressed(directory / "maximised.npz", **arrays, **traces)
    return {"unit": unit, **{name: extreme.activation for name, extreme in found.items()}}
