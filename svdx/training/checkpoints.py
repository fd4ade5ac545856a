"""Checkpoints that survive a crash: each is written atomically, and the previous one is kept."""

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
    """Reads and writes checkpoints for Lightning. A replaced one becomes `before.ckpt` in its directory."""

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
        """A checkpoint of plain values, on the CPU. Nothing in it is executed. Raises: WeightsError for any other."""
        try:
            return read_checkpoint(Path(path))
        except UnreadableError as error:
            raise WeightsError(f"{path}: no checkpoint to go on from ({error}); remove it to begin anew") from error


def latest_valid_checkpoint(directory: Path) -> Path | None:
    """The newest checkpoint in a directory that is not damaged, with a warning if a newer one is. None if there is no
    checkpoint.

    Raises: ConfigError if all checkpoints are damaged.
    """
    checkpoints = [path for path in (directory / LAST, directory / BEFORE) if path.is_file()]
    for path in checkpoints:
        if _is_intact(path):
            return path
        log.warning(f"{path}: damaged, looking for the checkpoint before it")
    if checkpoints:
        raise ConfigError(f"resume=true: no checkpoint in {directory} can be read; remove it to begin anew")
    return None


def _is_intact(path: Path) -> bool:
    """Whether the checksums in a checkpoint, which is a zip archive, are right."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError):  # as it is damaged
        return False
