"""Recipes: every setting on which the training of a network depends. Another recipe makes another network."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from svdx.app.settings import key_set_by, leaves, plain
from svdx.app.trainer import EXECUTION_OPTIONS
from svdx.errors import ConfigError
from svdx.models.weights import training_metadata
from svdx.schema.checks import as_typed

USAGE_KEYS = (
    "weights",
    "name",
    "standardisation",
    "threshold",
)  # of a section: how the network is used
EQUIVALENT_KEYS = ("data.features", "inverter.excerpts.features")  # cached or live: the numbers are the same
OF_TESTS = ("limit_test_batches",)  # trainer options that do not affect training
MOST_SHOWN = 4  # differences
OWN_CALLBACKS = "svdx.callbacks."

Recipe = dict[str, Any]


def recipe(cfg: DictConfig, section: str, **more: str) -> Recipe:
    """Every key on which the training of a section's network depends, as a user sets it, with its value.

    Left out are the devices (trainer.gpus, …), svdx's own callbacks and, apart from the excerpts' size, the front end,
    which has a directory of its own in the cache.

    section: classifier or inverter; more: further dependencies
    """
    references = dict(leaves(plain(cfg, resolve=False)))
    values = dict(leaves(plain(cfg)))
    of_trainer = (f"trainer.{key}" for key in (*EXECUTION_OPTIONS, *OF_TESTS))
    left_out = {*EQUIVALENT_KEYS, *(f"{section}.{key}" for key in USAGE_KEYS), *of_trainer}
    added = [name for name, node in training_callbacks(cfg, section).items() if not is_own_callback(node)]
    sections = (f"{section}.", "trainer.", *(f"callbacks.{name}." for name in added))
    keys = [key for key in values if key.startswith(sections) and key not in left_out]
    named = {key_set_by(key, references): values[key] for key in keys}
    return {**{key: value for key, value in named.items() if key not in left_out}, "seed": cfg.seed, **more}


def training_callbacks(cfg: DictConfig, section: str) -> dict[str, DictConfig]:
    """Nodes of the callbacks of a section's training: svdx's own, and those that the user added to the training that
    is asked for, the inverter's or with model=svdnet the classifier's. Raises: ConfigError."""
    requested = "classifier" if cfg.get("model") == "svdnet" else "inverter"
    nodes = {name: node for name, node in (cfg.get("callbacks") or {}).items() if node is not None}
    for name, node in nodes.items():
        if not isinstance(node, DictConfig) or "_target_" not in node:
            raise ConfigError(f"callbacks.{name}: expected a section with a _target_, see conf/callbacks/default.yaml")
    return {name: node for name, node in nodes.items() if section == requested or is_own_callback(node)}


def is_own_callback(node: Mapping[str, Any]) -> bool:
    """Whether a node makes one of svdx's callbacks, which do not influence what is trained, unlike EarlyStopping."""
    return str(node.get("_target_")).startswith(OWN_CALLBACKS)


def as_text(recipe: Recipe) -> str:
    """A recipe as the file of its network stores it."""
    return json.dumps(recipe, sort_keys=True)


def network_path(directory: Path, name: str, recipe: Recipe) -> Path:
    """The file of a recipe's network in a directory: NAME-1a2b3c4d5e6f.safetensors."""
    digits = hashlib.sha256(as_text(recipe).encode()).hexdigest()[:12]
    path = directory / name
    return path.with_name(f"{path.stem}-{digits}{path.suffix}")


def stored_recipe(path: Path) -> Recipe | None:
    """The recipe in a network's file. None if the file holds none, does not exist, or is damaged (with a warning)."""
    try:
        stored = json.loads(training_metadata(path).get("recipe", "null"))
    except ValueError:
        return None
    return stored if isinstance(stored, dict) else None


def differences(stored: Recipe | None, recipe: Recipe) -> str:
    """How a network with a stored recipe was trained differently, in words; empty if it belongs to another
    classifier."""
    if stored is None:
        return "has no training record, since an earlier svdx wrote it"
    if stored.get("classifier") != recipe.get("classifier"):
        return ""
    different = [
        f"{key}={_shown(stored, key)} instead of {_shown(recipe, key)}"
        for key in {**recipe, **stored}
        if _shown(stored, key) != _shown(recipe, key)
    ]
    more = f" and {len(different) - MOST_SHOWN} more" if len(different) > MOST_SHOWN else ""
    return f"was trained with {', '.join(different[:MOST_SHOWN])}{more}" if different else ""


def _shown(values: Recipe, key: str) -> str:
    return as_typed(values[key]) if key in values else "unset"
