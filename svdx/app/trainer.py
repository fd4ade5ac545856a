"""`trainer.gpus`: one word for what Lightning 2 calls accelerator, devices and strategy."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from svdx.errors import ConfigError

WORDS = ("accelerator", "devices", "strategy", "precision")  # of Lightning, for what a trainer runs on
PLACES = (  # options that say where and how visibly a trainer works, nothing of what comes out
    *("gpus", "accelerator", "devices", "num_nodes", "strategy", "use_distributed_sampler"),
    *("enable_model_summary", "enable_progress_bar", "log_every_n_steps", "profiler"),
)
REFUSALS = (MisconfigurationException, ValueError, RuntimeError, ImportError, OSError)  # what Lightning raises
Gpus = int | str | Sequence[int] | None


def make_trainer(gpus: Gpus = None, **options: Any) -> pl.Trainer:
    """A Lightning trainer. gpus: see `devices`; an `accelerator` or `devices` among the options wins.

    Raises: ConfigError for what Lightning refuses.
    """
    asked = ", ".join(f"trainer.{key}={options[key]}" for key in WORDS if options.get(key) is not None)
    if options.get("accelerator") is None and options.get("devices") is None:
        options |= {key: value for key, value in devices(gpus).items() if key not in options or options[key] is None}
    try:
        return pl.Trainer(**{key: value for key, value in options.items() if value is not None})
    except (*REFUSALS, TypeError) as error:
        if isinstance(error, TypeError) and not _is_of_lightning(error):
            raise
        reason = " ".join(str(error).split())
        cure = "; without it trainer.gpus=0 runs on the CPU" if asked else ""
        raise ConfigError(f"{asked or 'trainer'}: refused by Lightning ({reason}){cure}") from error


def _is_of_lightning(error: Exception) -> bool:
    """Was it raised in a file of Lightning's? It raises a TypeError for `devices=-5`; one of svdx's own is a defect."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__", "").startswith(("pytorch_lightning.", "lightning_fabric."))


def devices(gpus: Gpus) -> dict[str, Any]:
    """gpus → Lightning's accelerator, devices and strategy.

    0 or None: the CPU; n: the first n GPUs; -1: all; a list of ids: these; "auto": all, or the CPU where there is
    none. More than one means DDP. Raises: ConfigError for a boolean, a bad id, or GPUs that are not there.
    """
    found = torch.cuda.device_count()
    ids = _ids(gpus, found)
    if not ids:
        return {"accelerator": "cpu", "devices": 1, "strategy": "auto"}
    if max(ids) >= found:
        raise ConfigError(
            f"trainer.gpus={gpus}: {found} GPU(s) found by torch {torch.__version__} "
            f"(CUDA {torch.version.cuda or 'none'}); trainer.gpus=0 runs on the CPU"
        )
    return {"accelerator": "gpu", "devices": ids, "strategy": "ddp" if len(ids) > 1 else "auto"}


def _ids(gpus: Gpus, found: int) -> list[int]:
    if gpus is None or (gpus == "auto" and not found):
        return []
    if gpus in ("auto", -1) and not isinstance(gpus, float):
        return list(range(max(found, 1)))
    if isinstance(gpus, int) and not isinstance(gpus, bool) and gpus >= 0:
        return list(range(gpus))
    if isinstance(gpus, Sequence) and not isinstance(gpus, str):
        ids = list(gpus)
        if (
            ids
            and all(isinstance(i, int) and not isinstance(i, bool) and i >= 0 for i in ids)
            and len(set(ids)) == len(ids)
        ):
            return ids
    raise ConfigError(f"trainer.gpus={gpus}: expected 0, a number of GPUs, -1 (all), auto or a list of ids as [0,1]")
