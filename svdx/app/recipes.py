"""Recipes: all that a configuration says of how a network is trained. Of another recipe, it is another network."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from svdx.app.settings import leaves, set_by, shown
from svdx.app.trainer import PLACES
from svdx.models.weights import training_metadata

USE = ("weights", "name", "standardisation", "threshold")  # keys of a section that say how a trained network is used
SAME = ("data.features", "inverter.excerpts.features")  # cached or live: the numbers are the same
OF_TESTS = ("limit_test_batches",)  # a trainer's, which trains without them
MOST_SHOWN = 4  # differences

Recipe = dict[str, Any]


def recipe(cfg: DictConfig, section: str, **more: str) -> Recipe:
    """Every key that the training of a section's network depends on, as a user sets it, with its value.

    Left out are where it is trained (trainer.gpus, …) and, but for the excerpts' size, the front end, which the cache's
    directory stands for.

    section: classifier or inverter; more: what else it depends on
    """
    references = dict(leaves(OmegaConf.to_container(cfg)))
    values = dict(leaves(OmegaConf.to_container(cfg, resolve=True)))
    aside = {*SAME, *(f"{section}.{key}" for key in USE), *(f"trainer.{key}" for key in (*PLACES, *OF_TESTS))}
    asked = [key for key in values if key.startswith((f"{section}.", "trainer.")) and key not in aside]
    named = {set_by(key, references): values[key] for key in asked}
    return {**{key: value for key, value in named.items() if key not in aside}, "seed": cfg.seed, **more}


def written(asked: Recipe) -> str:
    """A recipe as its network's file holds it."""
    return json.dumps(asked, sort_keys=True)


def place(directory: Path, name: str, asked: Recipe) -> Path:
    """Where a network of a recipe belongs: NAME-1a2b3c4d5e6f.safetensors."""
    digits = hashlib.sha256(written(asked).encode()).hexdigest()[:12]
    path = directory / name
    return path.with_name(f"{path.stem}-{digits}{path.suffix}")


def is_of(path: Path, asked: Recipe) -> bool:
    """Is there a network of this very recipe? A damaged file is none, with a warning."""
    return training_metadata(path).get("recipe") == written(asked)


def recipe_of(path: Path) -> Recipe | None:
    """That of the network in a file; None where it says none, or there is none."""
    try:
        found = json.loads(training_metadata(path).get("recipe", "null"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def differences(path: Path, asked: Recipe) -> str:
    """In words, how the network in a file was trained otherwise; nothing where there is none, or one for another
    classifier."""
    found = recipe_of(path)
    if not path.is_file() or (found and found.get("classifier") != asked.get("classifier")):
        return ""
    if found is None:
        return "does not say how it was trained, as an earlier svdx wrote it"
    other = [
        f"{key}={_shown(found, key)} instead of {_shown(asked, key)}"
        for key in {**asked, **found}
        if _shown(found, key) != _shown(asked, key)
    ]
    more = f" and {len(other) - MOST_SHOWN} more" if len(other) > MOST_SHOWN else ""
    return f"was trained with {', '.join(other[:MOST_SHOWN])}{more}" if other else ""


def _shown(values: Recipe, key: str) -> str:
    return shown(values[key]) if key in values else "unset"
