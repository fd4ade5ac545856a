"""A track's directory appears whole or not at all, and says what was asked: so none is explained twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

from svdx.errors import ConfigError, writing

MARK = "facts.json"  # written last
ASIDE = ".part"  # beside the tracks' directories: those that are being written
SOUNDS = {"track.wav", "excerpt.wav", "explanation.wav", "removed.wav"}
OURS = {"report.html", "explanation.png", "explanation.npz", *SOUNDS, MARK}


@contextmanager
def appearing(place: Path) -> Iterator[Path]:
    """A new directory to write into, which in the end becomes `place`, instead of what was there, or is gone.

    Raises: ConfigError where `place` holds anything that no explanation left, and for what the disk refuses.
    """
    unfinished = place.parent / ASIDE / uuid4().hex
    with writing(place, "give a hydra.run.dir that can be written, with room on its disk"):
        _refuse_others(place)
        unfinished.mkdir(parents=True)
        try:
            yield unfinished
            if place.exists():
                place.rename(unfinished.with_suffix(".old"))
            unfinished.rename(place)
        finally:
            for left in (unfinished, unfinished.with_suffix(".old")):
                shutil.rmtree(left, ignore_errors=True)


def _refuse_others(place: Path) -> None:
    others = sorted({path.name for path in place.iterdir()} - OURS) if place.exists() else []
    if others:
        raise ConfigError(f"{place} holds {others[0]}, which is of no explanation: give another hydra.run.dir")


def sign(directory: Path, question: dict[str, Any], facts: dict[str, str]) -> None:
    """Leave in a directory what was asked, what is to be said, and which files there are."""
    sizes = {path.name: path.stat().st_size for path in sorted(directory.iterdir())}
    mark = {"question": question, "facts": facts, "bytes": sizes}
    (directory / MARK).write_text(json.dumps(mark, indent=2) + "\n")


def facts_of(directory: Path) -> dict[str, str]:
    """What is to be said of the track in a directory. Raises: OSError, ValueError."""
    return json.loads((directory / MARK).read_text())["facts"]


def is_finished(directory: Path, question: dict[str, Any]) -> bool:
    """Does a directory hold the whole answer to this very question?"""
    try:
        mark = json.loads((directory / MARK).read_text())
        sizes = {name: (directory / name).stat().st_size for name in mark["bytes"]}
    except (OSError, ValueError, TypeError, KeyError):
        return False
    return sizes == mark["bytes"] and mark["question"] == json.loads(json.dumps(question))


def forget_unfinished(directory: Path) -> None:
    """Remove what killed processes left; nobody may be writing below the directory."""
    shutil.rmtree(directory / ASIDE, ignore_errors=True)
