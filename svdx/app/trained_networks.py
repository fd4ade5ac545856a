"""The trained networks of a corpus, in the cache: whole at any moment, and made by one command while others wait.

Each lies under a name with its recipe's digits, so that none replaces one of another recipe. Those that were trained
last have a copy under the names that people type.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from svdx.app.recipes import Recipe, differences, is_of, place, recipe_of, written
from svdx.audio.logmel import FrontEnd
from svdx.errors import CACHE, writing
from svdx.files.atomic import atomic_write, process_lock
from svdx.models.inverter import InverterNet
from svdx.models.svdnet import SVDNet
from svdx.models.weights import FRONTEND, save

log = logging.getLogger(__name__)


def export(network: SVDNet | InverterNet, frontend: FrontEnd, path: Path, **said: str) -> None:
    """Write the front end and then, beside it, the weights. said: of their training, in their file

    Raises: ConfigError where they cannot be written.
    """
    if path.exists():
        log.info(f"{path}: replaced")
    with writing(path.parent, CACHE):
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path.with_name(FRONTEND)) as unfinished:
            unfinished.write_text(json.dumps(frontend.settings, indent=2))
        save(network, path, **said)


@dataclass(frozen=True)
class Slot:
    """The place of a network in the cache.

    recipe: how it is trained; path: its file, of no other recipe; last: the file of the one that was trained last, of
    whatever recipe, where people look for it
    """

    recipe: Recipe
    path: Path
    last: Path

    @classmethod
    def of(cls, asked: Recipe, networks: Path, last: Path) -> Slot:
        """networks: the directory of all recipes'"""
        return cls(asked, place(networks, last.name, asked), last)

    def is_filled(self) -> bool:
        return is_of(self.path, self.recipe)

    def fill(self, network: SVDNet | InverterNet, frontend: FrontEnd, updates: int) -> None:
        """Raises: ConfigError where it cannot be written."""
        export(network, frontend, self.path, recipe=written(self.recipe), updates=str(updates))
        self.publish()

    def publish(self) -> None:
        """Let this one be the last. Raises: ConfigError where it cannot be written."""
        if self.last.is_file():
            self.kept()
        for path, to in ((self.path.with_name(FRONTEND), self.last.with_name(FRONTEND)), (self.path, self.last)):
            _copy(path, to)

    def kept(self) -> Path:
        """Where the last one stays when another takes its name: in the slot of its recipe, of which it is a copy. One
        without a recipe, as an earlier svdx wrote it, is copied to a name of its own now. Raises: ConfigError.
        """
        found = recipe_of(self.last)
        before = self.path.with_name(f"{self.last.stem}-before{self.last.suffix}")
        slot = before if found is None else place(self.path.parent, self.last.name, found)
        if found is None or not slot.is_file():
            _copy(self.last, slot)
        return slot

    def find(self, section: str, missing: str, make: Callable[[], object], together: bool = False) -> Path:
        """The file, which is made first if it is not there, by one command while others wait.

        section: of the configuration; missing: what to say; together: the processes of one trainer make it, none of
        which may wait for another
        """
        if self.is_filled():
            return self.path
        with nullcontext() if together else making(self.path):
            if not self.is_filled():
                log.info(f"{missing} with this configuration: training one first")
                if other := differences(self.last, self.recipe):
                    log.info(f"the last one {other}: {section}.weights='{self.kept()}' would use it")
                make()
        return self.path


def _copy(path: Path, to: Path) -> None:
    with writing(to.parent, CACHE):
        to.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(to) as unfinished:
            shutil.copyfile(path, unfinished)


@contextmanager
def making(path: Path) -> Iterator[None]:
    """While no other command makes the model that belongs at `path`. Raises: ConfigError where none can be written."""
    models = path.parent
    with ExitStack() as stack:
        with writing(models.parent, CACHE):
            lock = models.with_name(f".{models.name}.{path.name}.lock")
            stack.enter_context(process_lock(lock, f"another command is making {path}: waiting for it"))
        yield
