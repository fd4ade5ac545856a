"""`trainer.gpus`: one word for what Lightning 2 calls accelerator, devices and strategy."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.accelerators import AcceleratorRegistry
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from svdx.errors import ConfigError
from svdx.schema.checks import Option, options_of
from svdx.schema.types import NonNegativeInt, PositiveInt, Share

WORDS = ("accelerator", "devices", "strategy", "precision")  # of Lightning, for what a trainer runs on
PLACES = (  # options that say where and how visibly a trainer works, nothing of what comes out
    *("gpus", "accelerator", "devices", "num_nodes", "strategy", "use_distributed_sampler"),
    *("enable_model_summary", "enable_progress_bar", "log_every_n_steps", "profiler"),
)
REFUSALS = (MisconfigurationException, ValueError, RuntimeError, ImportError, OSError)  # what Lightning raises
Gpus = int | str | Sequence[int] | None
NARROWER = {  # than Lightning's annotations
    "max_epochs": PositiveInt,
    "check_val_every_n_epoch": PositiveInt,
    "num_nodes": PositiveInt,
    **dict.fromkeys(("limit_train_batches", "limit_val_batches", "limit_test_batches"), NonNegativeInt | Share),
}


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


@cache
def trainer_options() -> dict[str, Option]:
    """Options of `make_trainer` and of Lightning's trainer; null is Lightning's default."""
    annotations = {name: option.annotation for name, option in options_of(pl.Trainer).items()}
    options = {name: Option(annotation | None) for name, annotation in {**annotations, **NARROWER}.items()}
    return {"gpus": Option(Gpus), **options}


def world_size(trainer: DictConfig) -> int:
    """The number of processes of a trainer's node. Raises: ConfigError for devices that this machine lacks."""
    if trainer.accelerator is None and trainer.devices is None:
        count = devices(OmegaConf.to_container(trainer)["gpus"])["devices"]
        return trainer.num_nodes * (len(count) if isinstance(count, list) else count)
    name, asked = trainer.accelerator or "auto", "auto" if trainer.devices is None else trainer.devices
    candidates = {"auto": ("tpu", "mps", "cuda", "cpu"), "gpu": ("mps", "cuda")}.get(name, (name,))
    typed = ", ".join(f"trainer.{key}={trainer[key]}" for key in ("accelerator", "devices") if trainer[key] is not None)
    cure = "without it trainer.gpus=0 runs on the CPU"
    try:
        found = [AcceleratorRegistry[candidate]["accelerator"] for candidate in candidates]
        available = next(accelerator for accelerator in found if accelerator.is_available())
    except (KeyError, StopIteration) as error:
        raise ConfigError(f"{typed}: no such device here; {cure}") from error
    try:
        kind = available.parse_devices(available.auto_device_count() if asked == "auto" else asked)
        return trainer.num_nodes * len(available.get_parallel_devices(kind))
    except (*REFUSALS, TypeError) as error:
        raise ConfigError(f"{typed}: refused by Lightning ({' '.join(str(error).split())}); {cure}") from error
