"""A run's directory: its results appear whole or not at all, and one that is finished is used again, kept, or replaced
where `overwrite=true` says so."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import yaml
from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pytorch_lightning.utilities import rank_zero_only

from svdx.app.provenance import CONFIG, SUMMARY
from svdx.app.trainer import PLACES
from svdx.errors import ConfigError, writing
from svdx.files.atomic import atomic_write

ASIDE = ".results"  # in a run's directory, while they are written
LOCK = ".hydra/run.lock"
FILES = "files"  # in a summary: what stands beside it
WAYS = "overwrite=true replaces it, another hydra.run.dir keeps it"
CURE = "give a hydra.run.dir that can be written, with room on its disk"
HOW = (  # keys, and sections, that say nothing of a result
    *("overwrite", "resume", "threads", "logger", "engine", "ray", "paths", "store", "data.corpus.workers"),
    *(f"trainer.{option}" for option in PLACES),
)
WHERE = ("data.root", "data.corpus.root", "classifier.weights", "inverter.weights", "models")  # compared by content
TRAININGS = ("", "classifier", "inverter")  # below a run's directory


@contextmanager
def occupied(directory: Path) -> Iterator[None]:
    """While this command has a run's directory for itself, with the processes that it begins.

    Raises: ConfigError where another command is at work there.
    """
    if not _is_first():
        yield
        return
    lock = directory / LOCK
    with writing(directory, CURE):
        lock.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
    held = FileLock(lock)
    try:
        held.acquire(blocking=False)
    except Timeout as error:
        raise ConfigError(
            f"{directory}: another run is at work there: wait for it, or give another hydra.run.dir"
        ) from error
    try:
        yield
    finally:
        held.release()


def is_there(
    cfg: DictConfig, directory: Path, used: dict[str, str] | None = None, aside_from: Collection[str] = ()
) -> bool:
    """Does a directory hold the finished result of this very configuration? With overwrite=true it is to be replaced.
    HOW it comes about and WHERE music and networks lie may differ: these are compared by what they hold.

    used: what else the result must come from, as its summary says, of a mapping the names that are in it; aside_from:
    sections that may differ, too
    Raises: ConfigError where it holds another result.
    """
    found = _summary(directory)
    if cfg.overwrite:
        return False
    if found is None:
        if any((directory / "checkpoints").glob("*.ckpt")):
            raise ConfigError(f"{directory} holds a training that has not ended: {WAYS}")
        return False
    if not _is_of(cfg, directory, (*HOW, *WHERE, *aside_from)):
        raise ConfigError(f"{directory} holds the result of another configuration: {WAYS}")
    other = dict.fromkeys(name.replace("_", " ") for name in _others(found, used or {}))
    if other:
        raise ConfigError(f"{directory} holds the result of another {' and '.join(other)}: {WAYS}")
    return True


def begin_training(cfg: DictConfig, directory: Path) -> None:
    """Raises ConfigError where a training was begun in a directory, or anything finished, unless it is gone on with.

    With overwrite=true it is removed.
    """
    if cfg.resume and cfg.overwrite:
        raise ConfigError("resume=true goes on with what overwrite=true removes: give one of them")
    if cfg.resume and FILES in (_summary(directory) or {}):
        raise ConfigError(f"resume=true: {directory} holds the result of another command, not a training")
    if cfg.resume or not _is_first():
        return
    checkpoints = [directory / part / "checkpoints" for part in TRAININGS]
    if cfg.overwrite:
        forget(directory)
        for place in checkpoints:
            shutil.rmtree(place, ignore_errors=True)
    elif _summary(directory) is not None or any(path for place in checkpoints for path in place.glob("*.ckpt")):
        raise ConfigError(f"{directory} holds a training: resume=true goes on with it, {WAYS}")


def is_trained(cfg: DictConfig, directory: Path) -> bool:
    """Does a directory hold the finished training of this very configuration, of the same music and networks?"""
    return _summary(directory) is not None and _is_of(cfg, directory, HOW)


@contextmanager
def appearing(directory: Path) -> Iterator[Path]:
    """A new directory to write a run's files into, its summary among them; in the end all of them stand in `directory`,
    the summary last, or none.

    Raises: ConfigError for what the disk refuses.
    """
    aside = directory / ASIDE
    shutil.rmtree(aside, ignore_errors=True)  # a killed run's
    with writing(directory, CURE):
        aside.mkdir(parents=True)
        try:
            yield aside
            sizes = {path.name: _size(path) for path in sorted(aside.iterdir()) if path.name != SUMMARY}
            summary = json.loads((aside / SUMMARY).read_text())
            with atomic_write(aside / SUMMARY) as unfinished:
                unfinished.write_text(json.dumps({**summary, FILES: sizes}, indent=2) + "\n")
            forget(directory)
            for name in (*sizes, SUMMARY):
                _remove(directory / name)
                (aside / name).replace(directory / name)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def forget(directory: Path) -> None:
    """Remove a finished result: first the summary, without which it is none."""
    files = (_summary(directory) or {}).get(FILES, {})
    _remove(directory / SUMMARY)
    for path in list(directory.iterdir()):
        if path.name in files:
            _remove(path)


def _summary(directory: Path) -> dict | None:
    """That of a finished result, all of whose files are there."""
    try:
        found = json.loads((directory / SUMMARY).read_text())
        complete = all(_size(directory / name) == size for name, size in found.get(FILES, {}).items())
    except (OSError, ValueError, AttributeError, TypeError):
        return None
    return found if complete and (directory / CONFIG).is_file() else None


def _size(path: Path) -> int | None:
    """Bytes of a file, None for a directory. Raises: OSError."""
    return None if path.is_dir() else path.stat().st_size


def is_among(key: str, names: Collection[str]) -> bool:
    """Is a key of the configuration, or a section that it is in, among some?

    >>> is_among("logger.wandb.mode", HOW), is_among("trainer.gpus", HOW), is_among("trainer.precision", HOW)
    (True, True, False)
    """
    return any(key == name or key.startswith(f"{name}.") for name in names)


def _others(found: object, asked: Mapping[str, object]) -> Iterator[str]:
    """The names in `asked`, or in a mapping in it, that have another value in `found`."""
    values = found if isinstance(found, Mapping) else {}
    for name, value in asked.items():
        if isinstance(value, Mapping):
            yield from _others(values.get(name), value)
        elif _unplaced(values.get(name)) != _unplaced(value):
            yield name


def _unplaced(value: object) -> object:
    """What a summary says of a network, without where it lies.

    >>> _unplaced("cache/inverter.safetensors (width 16, 47c60db7)"), _unplaced(3)
    ('width 16, 47c60db7)', 3)
    """
    return value.rpartition(" (")[2] if isinstance(value, str) else value


def _is_of(cfg: DictConfig, directory: Path, aside_from: Collection[str]) -> bool:
    """Was the configuration in a directory this one, aside from some keys and sections?"""
    return _of_file(directory / CONFIG, aside_from) == _plain(OmegaConf.to_container(cfg, resolve=True), aside_from)


def _of_file(path: Path, aside_from: Collection[str]) -> dict | None:
    """A configuration that was written resolved; None of a file that holds none."""
    try:
        return _plain(OmegaConf.to_container(OmegaConf.load(path), resolve=False), aside_from)
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, OmegaConfBaseException):
        return None


def _plain(values: dict, aside_from: Collection[str], section: str = "") -> dict:
    """What counts in a configuration, by full key."""
    counted: dict = {}
    for name, value in values.items():
        key = f"{section}{name}"
        if not is_among(key, aside_from):
            counted |= _plain(value, aside_from, f"{key}.") if isinstance(value, dict) else {key: value}
    return counted


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _is_first() -> bool:
    """Is this process not one of several that share a run, or the first of them?"""
    return rank_zero_only.rank == 0 and os.environ.get("NODE_RANK", "0") == "0"
