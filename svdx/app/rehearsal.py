"""Before anything is made: stand-ins of what will be made, so that a constructor refuses a setting in time."""

from __future__ import annotations

from typing import Any

from omegaconf import DictConfig
from torch import nn

from svdx.app.multirun import in_multirun
from svdx.app.settings import build, build_explainer, parts_needed
from svdx.errors import ConfigError
from svdx.explain.methods.controls import make_controls


def world_size(trainer: DictConfig) -> int:
    """How many processes a trainer's node asks for. Raises: ConfigError for GPUs that are not there."""
    return build(trainer, logger=False, enable_checkpointing=False).world_size


def check_devices(trainer: DictConfig) -> None:
    """Refuse GPUs that are not there, and several devices in a multirun, before anything is made."""
    if world_size(trainer) > 1 and in_multirun():
        raise ConfigError("several devices in a multirun: each of their processes would run the whole sweep; use one")


def rehearse(cfg: DictConfig, store: Any) -> None:
    """Make stand-ins of what a configuration asks for. store: of log-mels. Raises: ConfigError."""
    for node in (cfg.excerpts, cfg.classifier.excerpts, cfg.inverter.excerpts):
        build(node, corpus=None, store=store)
    for section in (cfg.classifier, cfg.inverter):
        build(section.system.network)
        build(cfg.trainer, logger=False, enable_checkpointing=False, **section.fit)
    explainer = _stand_in(cfg.explainer, cfg.layer)
    if cfg.get("start") == "all":
        explainer.choice.check_tracks()
    make_controls(cfg.get("controls", ()), nn.Identity(), cfg.seed)
    for name, node in cfg.get("compare", {}).items():
        if name == "methods":
            _rehearse_methods(node, cfg.layer)
        elif isinstance(node, DictConfig):
            build(node)


def _rehearse_methods(methods: DictConfig, layer: str) -> None:
    for name, node in methods.items():
        try:
            _stand_in(node, layer)
        except ConfigError as error:
            raise ConfigError(f"compare.methods.{name}: {error}") from error


def _stand_in(node: DictConfig, layer: str) -> Any:
    part = nn.Identity()
    part.layer = layer  # as an inverter's
    return build_explainer(node, classifier=part, **dict.fromkeys(parts_needed(node), part))
