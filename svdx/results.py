"""A run's directory: its results appear whole or not at all, and one that is finished is used again, kept, or replaced
where `overwrite=true` says so."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only

from svdx.errors import ConfigError, writing
from svdx.provenance import CONFIG, SUMMARY

ASIDE = ".results"  # in a run's directory, while they are written
LOCK = ".hydra/run.lock"
FILES = "files"  # in a summary: what stands beside it
WAYS = "overwrite=true replaces it, another hydra.run.dir keeps it"
CURE = "give a hydra.run.dir that can be written, with room on its disk"
HOW = ("overwrite", "resume")  # keys that say nothing of a result
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
        ) from (error)
    try:
        yield
    finally:
        held.release()


def is_there(
    cfg: DictConfig, directory: Path, used: dict[str, str] | None = None, aside_from: Collection[str] = ()
) -> bool:
    """Does a directory hold the finished result of this very configuration? With overwrite=true it is removed.

    used: what else the result must come from, as its summary says; aside_from: sections that may differ
    Raises: ConfigError where it holds another result.
    """
    found = _summary(directory)
    if found is None:
        return False
    if cfg.overwrite:
        if _is_first():
            forget(directory)
        return False
    if _plain(OmegaConf.load(directory / CONFIG), aside_from) != _plain(cfg, aside_from):
        raise ConfigError(f"{directory} holds the result of another configuration: {WAYS}")
    other = [name for name, value in (used or {}).items() if found.get(name) != value]
    if other:
        raise ConfigError(f"{directory} holds the result of another {' and '.join(other)}: {WAYS}")
    return True


def begin_training(cfg: DictConfig, directory: Path) -> None:
    """Raises ConfigError where a training was begun in a directory, or anything finished, unless it is gone on with.

    With overwrite=true it is removed.
    """
    if cfg.resume and cfg.overwrite:
        raise ConfigError("resume=true goes on with what overwrite=true removes: give one of them")
    if cfg.resume or not _is_first():
        return
    checkpoints = [directory / part / "checkpoints" for part in TRAININGS]
    if cfg.overwrite:
        forget(directory)
        for place in checkpoints:
            shutil.rmtree(place, ignore_errors=True)
    elif _summary(directory) is not None or any(path for place in checkpoints for path in place.glob("*.ckpt")):
        raise ConfigError(f"{directory} holds a training: resume=true goes on with it, {WAYS}")


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
            names = sorted({path.name for path in aside.iterdir()} - {SUMMARY})
            summary = json.loads((aside / SUMMARY).read_text())
            (aside / SUMMARY).write_text(json.dumps({**summary, FILES: names}, indent=2) + "\n")
            for name in (*names, SUMMARY):
                _remove(directory / name)
                (aside / name).replace(directory / name)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def forget(directory: Path) -> None:
    """Remove a finished result: first the summary, without which it is none."""
    files = (_summary(directory) or {}).get(FILES, [])
    _remove(directory / SUMMARY)
    for path in list(directory.iterdir()):
        if path.name in files:
            _remove(path)


def _summary(directory: Path) -> dict | None:
    """That of a finished result, all of whose files are there."""
    try:
        found = json.loads((directory / SUMMARY).read_text())
        whole = all((directory / name).exists() for name in (CONFIG, *found.get(FILES, [])))
    except (OSError, ValueError, AttributeError, TypeError):
        return None
    return found if whole else None


def _plain(cfg: DictConfig, aside_from: Collection[str]) -> dict:
    values = OmegaConf.to_container(cfg, resolve=True)
    return {key: value for key, value in values.items() if key not in (*HOW, *aside_from)}


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _is_first() -> bool:
    """Is this process not one of several that share a run, or the first of them?"""
    return rank_zero_only.rank == 0 and os.environ.get("NODE_RANK", "0") == "0"
