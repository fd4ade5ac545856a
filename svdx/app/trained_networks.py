"""Trained networks in the cache: each file is written atomically, and trained by one command while others wait for it.

Every recipe has a file of its own, named after the recipe. The network that was trained last also has a copy under the
plain name that people type.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from svdx.app.recipes import Recipe, as_text, differences, network_path, stored_recipe
from svdx.audio.logmel import FrontEnd
from svdx.errors import CACHE, writing
from svdx.files.atomic import atomic_write, process_lock
from svdx.models.inverter import InverterNet
from svdx.models.svdnet import SVDNet
from svdx.models.weights import FRONTEND, save

log = logging.getLogger(__name__)


def export(network: SVDNet | InverterNet, frontend: FrontEnd, path: Path, **metadata: str) -> None:
    """Write the weights, with metadata of their training, and the front end beside them.

    Raises: ConfigError if the cache cannot be written.
    """
    if path.exists():
        log.info(f"{path}: replaced")
    with writing(path.parent, CACHE):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path.with_name(FRONTEND)) as unfinished:
            unfinished.write_text(json.dumps(frontend.settings, indent=2))
        save(network, path, **metadata)


@dataclass(frozen=True)
class CachedNetwork:
    """The place of a recipe's network in the cache.

    directory: of the networks of all recipes; latest: copy of the network that was trained last, of whatever recipe
    """

    recipe: Recipe
    directory: Path
    latest: Path

    @property
    def path(self) -> Path:
        """The file of this recipe's network."""
        return network_path(self.directory, self.latest.name, self.recipe)

    def exists(self) -> bool:
        """Whether the file is there and undamaged."""
        stored = stored_recipe(self.path)
        return stored is not None and as_text(stored) == as_text(self.recipe)

    def find_or_train(self, section: str, missing: str, train: Callable[[], object], wait: bool = True) -> Path:
        """The file, trained first if it does not exist. Other commands that need it wait meanwhile.

        section: of the configuration; missing: log message for a file that does not exist; wait: for other commands,
            which the processes of one trainer must not do for each other
        """
        if self.exists():
            return self.path
        with training_lock(self.path) if wait else nullcontext():
            if not self.exists():
                log.info(f"{missing} with this configuration; training one")
                self._log_alternative(section)
                train()
        return self.path

    def write(self, network: SVDNet | InverterNet, frontend: FrontEnd, updates: int) -> None:
        """Write a trained network, which becomes the latest one. Raises: ConfigError if the cache cannot be written."""
        export(network, frontend, self.path, recipe=as_text(self.recipe), updates=str(updates))
        self.make_latest()

    def make_latest(self) -> None:
        """Copy this network to the plain name. Raises: ConfigError if the cache cannot be written."""
        if self.latest.is_file():
            self.keep_latest()
        _copy(self.path.with_name(FRONTEND), self.latest.with_name(FRONTEND))
        _copy(self.path, self.latest)

    def keep_latest(self) -> Path:
        """The file in which the latest network stays when another one takes its name: that of its recipe. A network
        without a recipe, as an earlier svdx wrote it, is copied to a name of its own.

        Raises: ConfigError if the cache cannot be written.
        """
        stored = stored_recipe(self.latest)
        if stored is None:
            kept = self.directory / f"{self.latest.stem}-before{self.latest.suffix}"
        else:
            kept = network_path(self.directory, self.latest.name, stored)
        if stored is None or not kept.is_file():
            _copy(self.latest, kept)
        return kept

    def _log_alternative(self, section: str) -> None:
        """Say how the latest network differs from this one, and how to use it instead."""
        if not self.latest.is_file():
            return
        if different := differences(stored_recipe(self.latest), self.recipe):
            log.info(f"the latest one {different}; to reuse it, set {section}.weights='{self.keep_latest()}'")


def _copy(path: Path, to: Path) -> None:
    with writing(to.parent, CACHE):
        to.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(to) as unfinished:
            shutil.copyfile(path, unfinished)


@contextmanager
def training_lock(path: Path) -> Iterator[None]:
    """Lock a network's file while it is trained. Raises: ConfigError if the lock file cannot be written."""
    directory = path.parent
    with ExitStack() as stack:
        with writing(directory.parent, CACHE):
            lock = directory.with_name(f".{directory.name}.{path.name}.lock")
            stack.enter_context(process_lock(lock, f"another command is making {path}: waiting for it"))
        yield
