"""svdx: what did a singing-voice detector listen to? Explanations by feature inversion (EUSIPCO 2018)."""

import os
from importlib.util import find_spec

__version__ = "0.1.0"


def _ignore_missing_backend() -> None:
    """Forget a matplotlib backend that is not installed, without which matplotlib cannot be imported.

    Jupyter and Colab hand theirs on to every program that a cell starts, in whatever environment. Figures need none.
    """
    scheme, _, module = os.environ.get("MPLBACKEND", "").partition("://")
    if scheme == "module" and find_spec(module.partition(".")[0]) is None:
        del os.environ["MPLBACKEND"]


_ignore_missing_backend()
