"""The directory of a run: one command at a time works in it, results are written atomically, and a finished result of
the same configuration is reused."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pytorch_lightning.utilities import rank_zero_only

from svdx.app.multirun import in_multirun
from svdx.app.provenance import CONFIG, SUMMARY
from svdx.app.recipes import is_own_callback
from svdx.app.settings import plain
from svdx.app.trainer import EXECUTION_OPTIONS
from svdx.errors import ConfigError, writing
from svdx.files.atomic import atomic_write, scratch_directory

UNFINISHED = ".results"  # subdirectory in which results are written
LOCK = ".hydra/run.lock"
FILES = "files"  # in a summary: sizes of the files that belong to the result
NOT_WRITABLE = "give a hydra.run.dir that can be written, with room on its disk"
IRRELEVANT = (  # keys and sections on which no result depends
    *("overwrite", "resume", "threads", "logger", "engine", "ray", "paths", "store", "data.corpus.workers"),
    *(f"trainer.{option}" for option in EXECUTION_OPTIONS),
)
COMPARED_BY_CONTENT = ("data.root", "data.corpus.root", "classifier.weights", "inverter.weights", "models")
TRAININGS = ("", "classifier", "inverter")  # subdirectories of a run in which networks are trained


@contextmanager
def run_lock(directory: Path) -> Iterator[None]:
    """Hold a run's directory against other commands. The processes of one command share it.

    Raises: ConfigError if another command is running there, or if the directory cannot be written.
    """
    if not _is_first_process():
        yield
        return
    path = directory / LOCK
    with writing(directory, NOT_WRITABLE):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    lock = FileLock(path)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise ConfigError(
            f"{directory}: another run is using it: wait for it, or give another {_directory_key()}"
        ) from error
    try:
        yield
    finally:
        lock.release()


def reuse_or_refuse(
    cfg: DictConfig, directory: Path, sources: Mapping[str, Any] | None = None, ignoring: Collection[str] = ()
) -> bool:
    """Whether a directory holds the finished result of this configuration, which can be reused.

    Keys in IRRELEVANT are ignored. Paths in COMPARED_BY_CONTENT are ignored too: `sources` compares what they hold.
    Always False with overwrite=true.

    sources: entries that the result's summary must have, as `Pipeline.sources` gives them; ignoring: further sections
    that may differ

    Raises: ConfigError if the directory holds another result, or an unfinished training.
    """
    summary = _finished_summary(directory)
    if cfg.overwrite:
        return False
    if summary is None:
        if any((directory / "checkpoints").glob("*.ckpt")):
            raise ConfigError(f"{directory} holds a training that has not ended: {_ways_out()}")
        return False
    if not _has_config(cfg, directory, (*IRRELEVANT, *COMPARED_BY_CONTENT, *ignoring)):
        raise ConfigError(f"{directory} holds the result of another configuration: {_ways_out()}")
    different = dict.fromkeys(name.replace("_", " ") for name in _different(summary, sources or {}))
    if different:
        raise ConfigError(f"{directory} holds the result of another {' and '.join(different)}: {_ways_out()}")
    return True


def begin_training(cfg: DictConfig, directory: Path) -> None:
    """Refuse to train where a training or a result exists, unless it is resumed. With overwrite=true, remove it.

    Raises: ConfigError.
    """
    if cfg.resume and cfg.overwrite:
        raise ConfigError("resume=true and overwrite=true exclude each other: give one of them")
    if cfg.resume and FILES in (_finished_summary(directory) or {}):
        raise ConfigError(f"resume=true: {directory} holds the result of another command, not a training")
    if cfg.resume or not _is_first_process():
        return
    checkpoints = [directory / part / "checkpoints" for part in TRAININGS]
    if cfg.overwrite:
        remove_result(directory)
        for folder in checkpoints:
            shutil.rmtree(folder, ignore_errors=True)
    elif _finished_summary(directory) is not None or any(
        path for folder in checkpoints for path in folder.glob("*.ckpt")
    ):
        raise ConfigError(f"{directory} holds a training: resume=true goes on with it, {_ways_out()}")


def is_trained(cfg: DictConfig, directory: Path) -> bool:
    """Whether a directory holds the finished training of this configuration, with the same paths of music and
    networks."""
    return _finished_summary(directory) is not None and _has_config(cfg, directory, IRRELEVANT)


@contextmanager
def atomic_results(directory: Path) -> Iterator[Path]:
    """Yield a new directory to write the files of a result into, summary.json among them. On success all of them are
    moved to `directory`, summary.json last, and those of an earlier result are removed; on error they are deleted.

    Raises: ConfigError if the disk refuses.
    """
    with writing(directory, NOT_WRITABLE), scratch_directory(directory / UNFINISHED) as unfinished:
        yield unfinished
        sizes = {path.name: _size(path) for path in sorted(unfinished.iterdir()) if path.name != SUMMARY}
        summary = json.loads((unfinished / SUMMARY).read_text())
        with atomic_write(unfinished / SUMMARY) as path:
            path.write_text(json.dumps({**summary, FILES: sizes}, indent=2) + "\n")
        remove_result(directory)
        for name in (*sizes, SUMMARY):
            _remove(directory / name)
            (unfinished / name).replace(directory / name)


def remove_result(directory: Path) -> None:
    """Remove the files of a finished result, its summary first: without it the others are no result."""
    files = (_finished_summary(directory) or {}).get(FILES, {})
    _remove(directory / SUMMARY)
    for path in list(directory.iterdir()):
        if path.name in files:
            _remove(path)


def is_in_sections(key: str, sections: Collection[str]) -> bool:
    """Whether a key of the configuration is one of these keys, or lies in one of these sections.

    >>> [is_in_sections(key, IRRELEVANT) for key in ("logger.wandb.mode", "trainer.gpus", "trainer.precision")]
    [True, True, False]
    """
    return any(key == section or key.startswith(f"{section}.") for section in sections)


def _ways_out() -> str:
    return f"overwrite=true replaces it, another {_directory_key()} keeps it"


def _directory_key() -> str:
    return "hydra.sweep.dir" if in_multirun() else "hydra.run.dir"


def _finished_summary(directory: Path) -> dict[str, Any] | None:
    """The summary of a finished result, if all of its files are there with their sizes."""
    try:
        summary = json.loads((directory / SUMMARY).read_text())
        complete = all(_size(directory / name) == size for name, size in summary.get(FILES, {}).items())
    except (OSError, ValueError, AttributeError, TypeError):
        return None
    return summary if complete and (directory / CONFIG).is_file() else None


def _size(path: Path) -> int | None:
    """Bytes of a file, None for a directory. Raises: OSError."""
    return None if path.is_dir() else path.stat().st_size


def _different(summary: object, expected: Mapping[str, Any]) -> Iterator[str]:
    """Names in `expected`, or in a mapping in it, whose value differs in a summary."""
    values = summary if isinstance(summary, Mapping) else {}
    for name, value in expected.items():
        if isinstance(value, Mapping):
            yield from _different(values.get(name), value)
        elif _without_path(values.get(name)) != _without_path(value):
            yield name


def _without_path(value: object) -> object:
    """What a summary says of a network, without its path.

    >>> _without_path("cache/inverter.safetensors (width 16, 47c60db7)"), _without_path(3)
    ('width 16, 47c60db7)', 3)
    """
    return value.rpartition(" (")[2] if isinstance(value, str) else value


def _has_config(cfg: DictConfig, directory: Path, ignoring: Collection[str]) -> bool:
    """Whether the run in a directory had this configuration, apart from some keys and sections."""
    try:
        written = OmegaConf.to_container(OmegaConf.load(directory / CONFIG))  # it was resolved on writing
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError, OmegaConfBaseException):
        return False
    return isinstance(written, dict) and _relevant(written, ignoring) == _relevant(plain(cfg), ignoring)


def _relevant(values: Any, ignoring: Collection[str], section: str = "") -> dict[str, Any]:
    """The values that are compared, by full key."""
    relevant: dict[str, Any] = {}
    for name, value in values.items():
        key = f"{section}{name}"
        if not is_in_sections(key, ignoring) and not (isinstance(value, dict) and is_own_callback(value)):
            relevant |= _relevant(value, ignoring, f"{key}.") if isinstance(value, dict) else {key: value}
    return relevant


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _is_first_process() -> bool:
    """Whether this process works alone, or is the first of those that share a run."""
    return rank_zero_only.rank == 0 and os.environ.get("NODE_RANK", "0") == "0"  # type: ignore[attr-defined]
