"""The results of many tracks on disk: each directory is replaced atomically and is recognised when it is up to date."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from svdx.errors import ConfigError, writing
from svdx.files.atomic import scratch_directory

MARK = "facts.json"  # written last
UNFINISHED = ".part"  # directory beside the tracks' directories, for those that are being written
SOUNDS = {"track.wav", "excerpt.wav", "explanation.wav", "removed.wav"}
RESULTS = {"report.html", "explanation.png", "explanation.npz", *SOUNDS, MARK}


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yield a new directory to write into. On success it replaces `path`; on error it is deleted.

    Raises: ConfigError if `path` holds a file that no explanation wrote, or if the disk refuses.
    """
    with writing(path, "give a hydra.run.dir that can be written, with room on its disk"):
        _expect_results_only(path)
        with scratch_directory(path.parent / UNFINISHED / uuid4().hex) as scratch:
            new = scratch / "new"
            new.mkdir()
            yield new
            if path.exists():
                path.rename(scratch / "old")
            new.rename(path)


def _expect_results_only(path: Path) -> None:
    others = sorted({entry.name for entry in path.iterdir()} - RESULTS) if path.exists() else []
    if others:
        raise ConfigError(f"{path} holds {others[0]}, which is of no explanation: give another hydra.run.dir")


def write_mark(directory: Path, key: dict[str, Any], facts: dict[str, str]) -> None:
    """Record what the files in a directory depend on, their facts, and their sizes. key: see `Request.key`"""
    sizes = {path.name: path.stat().st_size for path in sorted(directory.iterdir())}
    mark = {"question": key, "facts": facts, "bytes": sizes}
    (directory / MARK).write_text(json.dumps(mark, indent=2) + "\n")


def read_facts(directory: Path) -> dict[str, str]:
    """The facts recorded in a directory. Raises: OSError, ValueError."""
    return json.loads((directory / MARK).read_text())["facts"]


def is_up_to_date(directory: Path, key: dict[str, Any]) -> bool:
    """Whether a directory holds complete results for this key."""
    try:
        mark = json.loads((directory / MARK).read_text())
        sizes = {name: (directory / name).stat().st_size for name in mark["bytes"]}
    except (OSError, ValueError, TypeError, KeyError):
        return False
    return sizes == mark["bytes"] and mark["question"] == json.loads(json.dumps(key))


def remove_unfinished(directory: Path) -> None:
    """Remove what killed processes left. No process may be writing below the directory."""
    shutil.rmtree(directory / UNFINISHED, ignore_errors=True)
