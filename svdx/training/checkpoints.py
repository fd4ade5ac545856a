"""Checkpoints that survive a crash: each is written aside and renamed, and the one before it is kept."""

from __future__ import annotations

import logging
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import torch
from lightning_fabric.plugins import TorchCheckpointIO

from svdx.errors import ConfigError, WeightsError, writing
from svdx.files.archives import UnreadableError, read_checkpoint

LAST, BEFORE = "last.ckpt", "before.ckpt"

log = logging.getLogger(__name__)


class Checkpoints(TorchCheckpointIO):
    """Lightning's way to the disk. A checkpoint that is replaced becomes `before.ckpt` in its directory."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        path = Path(path)
        unfinished = path.with_suffix(".part")
        with writing(path, "free some space there; the checkpoint before this one is kept"):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with unfinished.open("wb") as file:
                    torch.save(checkpoint, file)
                    file.flush()
                    os.fsync(file.fileno())
            except RuntimeError as error:  # torch's writer, of a full disk
                raise OSError(str(error).splitlines()[0]) from error
            if path.exists():
                path.replace(path.with_name(BEFORE))
            unfinished.replace(path)

    def load_checkpoint(self, path: str | Path, *_: Any, **__: Any) -> dict[str, Any]:
        """A checkpoint of plain values, on the CPU. Raises: WeightsError for another; nothing in it is executed."""
        try:
            return read_checkpoint(Path(path))
        except UnreadableError as error:
            raise WeightsError(f"{path}: no checkpoint to go on from ({error}); remove it to begin anew") from error


def newest_sound(directory: Path) -> Path | None:
    """The last checkpoint of a run's `checkpoints` directory that can be read, with a warning where it is not the very
    last; None where there is no checkpoint.

    Raises: ConfigError where there are checkpoints and none can be read.
    """
    there = [path for path in (directory / LAST, directory / BEFORE) if path.is_file()]
    for path in there:
        if _is_sound(path):
            return path
        log.warning(f"{path}: damaged, looking for the checkpoint before it")
    if there:
        raise ConfigError(f"resume=true: no checkpoint in {directory} can be read; remove it to begin anew")
    return None


def _is_sound(path: Path) -> bool:
    """A checkpoint is a zip archive, with a check sum of each of its parts."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError):  # as it is damaged
        return False
