"""svdx: which part of a recording did a singing-voice detector listen to? (Mishra, Sturm and Dixon, EUSIPCO 2018)

>>> import svdx
>>> explanation = svdx.explain("song.mp3", start=10, explainer="gated_inversion")  # doctest: +SKIP
>>> explanation.show()  # doctest: +SKIP
>>> explanation.save("explained")  # doctest: +SKIP
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from svdx.app.api import Explanation, Networks, explain, load

__all__ = ["Explanation", "Networks", "explain", "load"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import the API when it is first used: torch takes seconds."""
    if name in __all__:
        return getattr(import_module("svdx.app.api"), name)
    raise AttributeError(f"module 'svdx' has no attribute {name!r}")


def _ignore_missing_backend() -> None:
    """Unset a matplotlib backend that is not installed, since matplotlib cannot be imported with it.

    Jupyter and Colab pass theirs on to every program that a cell starts, in whatever environment. Figures need none.
    """
    scheme, _, module = os.environ.get("MPLBACKEND", "").partition("://")
    if scheme == "module" and find_spec(module.partition(".")[0]) is None:
        del os.environ["MPLBACKEND"]


_ignore_missing_backend()
