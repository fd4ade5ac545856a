"""The trained models of a corpus, in the cache: whole at any moment, and made by one command while others wait."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from svdx.errors import CACHE, writing
from svdx.frontend import FrontEnd
from svdx.listener import FRONTEND
from svdx.models.inverternet import InverterNet
from svdx.models.svdnet import SVDNet
from svdx.models.weights import save
from svdx.whole import locked, whole

log = logging.getLogger(__name__)


def export(network: SVDNet | InverterNet, frontend: FrontEnd, path: Path, **said: str) -> None:
    """Write the front end and then, beside it, the weights. said: of their training, in their file

    Raises: ConfigError where they cannot be written.
    """
    if path.exists():
        log.info(f"{path}: replaced")
    with writing(path.parent, CACHE):
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path.with_name(FRONTEND)) as unfinished:
            unfinished.write_text(json.dumps(frontend.settings, indent=2))
        save(network, path, **said)


@contextmanager
def making(path: Path) -> Iterator[None]:
    """While no other command makes the model that belongs at `path`. Raises: ConfigError where none can be written."""
    models = path.parent
    with ExitStack() as stack:
        with writing(models.parent, CACHE):
            lock = models.with_name(f".{models.name}.{path.name}.lock")
            stack.enter_context(locked(lock, f"another command is making {path}: waiting for it"))
        yield
