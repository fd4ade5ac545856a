"""`trainer.gpus`, a short form of Lightning's accelerator, devices and strategy."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytorch_lightning as pl
import torch
from omegaconf import DictConfig
from pytorch_lightning.accelerators import AcceleratorRegistry
from pytorch_lightning.utilities.exceptions import MisconfigurationException

from svdx.app.settings import plain
from svdx.errors import ConfigError
from svdx.schema.checks import Option, options_of
from svdx.schema.types import NonNegativeInt, PositiveInt, Share

DEVICE_OPTIONS = ("accelerator", "devices", "strategy", "precision")  # of Lightning
EXECUTION_OPTIONS = (  # options of devices and output, on which no result depends
    *("gpus", "accelerator", "devices", "num_nodes", "strategy", "use_distributed_sampler"),
    *("enable_model_summary", "enable_progress_bar", "log_every_n_steps", "profiler"),
)
REFUSALS = (MisconfigurationException, ValueError, RuntimeError, ImportError, OSError)  # raised by Lightning
Gpus = int | str | Sequence[int] | None
NARROWER = {  # than Lightning's annotations
    "max_epochs": PositiveInt,
    "check_val_every_n_epoch": PositiveInt,
    "num_nodes": PositiveInt,
    **dict.fromkeys(("limit_train_batches", "limit_val_batches", "limit_test_batches"), NonNegativeInt | Share),
}


def make_trainer(gpus: Gpus = None, **options: Any) -> pl.Trainer:
    """A Lightning trainer. gpus: see `devices`; ignored if the options name an accelerator or devices.

    Raises: ConfigError if Lightning refuses an option.
    """
    given = ", ".join(f"trainer.{key}={options[key]}" for key in DEVICE_OPTIONS if options.get(key) is not None)
    if options.get("accelerator") is None and options.get("devices") is None:
        options |= {key: value for key, value in devices(gpus).items() if key not in options or options[key] is None}
    try:
        return pl.Trainer(**{key: value for key, value in options.items() if value is not None})
    except (*REFUSALS, TypeError) as error:
        if isinstance(error, TypeError) and not _is_of_lightning(error):
            raise
        reason = " ".join(str(error).split())
        cure = "; without it trainer.gpus=0 runs on the CPU" if given else ""
        raise ConfigError(f"{given or 'trainer'}: refused by Lightning ({reason}){cure}") from error


def _is_of_lightning(error: Exception) -> bool:
    """Whether Lightning raised an error. It raises a TypeError for `devices=-5`; one raised by svdx is a defect."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__", "").startswith(("pytorch_lightning.", "lightning_fabric."))


def devices(gpus: Gpus) -> dict[str, Any]:
    """Lightning's accelerator, devices and strategy for a number of GPUs. Several devices use DDP.

    gpus: 0 or None for the CPU, n for the first n GPUs, -1 for all, a list of ids, or "auto" for all GPUs or else the
        CPU

    Raises: ConfigError for any other value, or for GPUs that this machine lacks.
    """
    available = torch.cuda.device_count()
    ids = _ids(gpus, available)
    if not ids:
        return {"accelerator": "cpu", "devices": 1, "strategy": "auto"}
    if max(ids) >= available:
        raise ConfigError(
            f"trainer.gpus={gpus}: {available} GPU(s) found by torch {torch.__version__} "
            f"(CUDA {torch.version.cuda or 'none'}); trainer.gpus=0 runs on the CPU"
        )
    return {"accelerator": "gpu", "devices": ids, "strategy": "ddp" if len(ids) > 1 else "auto"}


def _ids(gpus: Gpus, available: int) -> list[int]:
    if gpus is None or (gpus == "auto" and not available):
        return []
    if gpus in ("auto", -1) and not isinstance(gpus, float):
        return list(range(max(available, 1)))
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
        count = devices(plain(trainer, resolve=False)["gpus"])["devices"]
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
