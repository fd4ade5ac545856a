"""From a configuration to objects: what it says is held against what they take before anything is made."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytorch_lightning as pl
from hydra.utils import get_object, instantiate
from omegaconf import MISSING, DictConfig, OmegaConf

from svdx.app.annotations import annotations, describe, fits
from svdx.errors import ConfigError, expect_file
from svdx.explain.masks import LARGEST_THRESHOLD

PLAIN = {  # keys that no constructor takes, or takes otherwise
    "seed": int,
    "threads": int | None,
    "thresholds": list[float] | None,
    "areas": list[float] | None,
    "points.thresholds": list[float],
    "points.areas": list[float],
    "explainer.threshold": float | None,
    "classifier.threshold": float | None,
    "inverter.name": str,
    "controls": list[str],
    "detection": bool,
    "agreement": bool,
    "sounds": bool,
    "maximise": str | None,
    "resume": bool,
    "overwrite": bool,
    "start": float | Literal["all"] | None,
    "hop": float | None,
    "compare.shown": float,
}
FILES = ("classifier.weights", "classifier.standardisation", "inverter.weights")
PARTS = ("inverter", "examples")  # what an explainer may need besides the classifier; `Pipeline` makes it
NO_FILES = (None, "own", "target")  # the latter of a standardisation
RANGES = {
    "seed": (0, 2**32 - 1),
    "threads": (1, math.inf),
    "start": (0, math.inf),
    "classifier.threshold": (0, 1),
    "explainer.threshold": (0, LARGEST_THRESHOLD),
    "explainer.area": (0, 1),
    "thresholds": (0, LARGEST_THRESHOLD),
    "areas": (0, 1),
    "points.thresholds": (0, LARGEST_THRESHOLD),
    "points.areas": (0, 1),
    "data.seed": (0, 2**32 - 1),
    "excerpts.seed": (0, math.inf),
    "excerpts.n": (1, math.inf),
    "inverter.excerpts.batch_size": (2, math.inf),  # batch norm
    "store.workers": (1, math.inf),
    "compare.sanity.n": (1, math.inf),
    "compare.sanity.draws": (1, math.inf),
    "compare.sanity.best": (0, 1),
    "compare.sanity.epochs": (1, math.inf),
    "compare.sanity.seed": (0, 2**32 - 1),
    "engine.workers": (1, math.inf),
    **{f"maximisation.{key}": (0, math.inf) for key in ("l2", "variation", "bound")},
    "maximisation.steps": (1, math.inf),
    "engine.gpus": (0, math.inf),
    **{f"{network}.fit.max_epochs": (1, math.inf) for network in ("classifier", "inverter")},
    **{f"{network}.fit.check_val_every_n_epoch": (1, math.inf) for network in ("classifier", "inverter")},
}


def build(node: DictConfig, *live: Any, **more: Any) -> Any:
    """Instantiate a config node; live objects go around Hydra, which would copy them."""
    return instantiate(node, _partial_=True, _convert_="all")(*live, **more)


def check(cfg: DictConfig) -> None:
    """Refuse values of another kind than is taken, numbers out of range, and files that are not there.

    Raises: ConfigError, which names the key; WeightsError.
    """
    written = dict(leaves(OmegaConf.to_container(cfg)))
    for key, value in written.items():
        if value == MISSING:
            raise ConfigError(f"{key}=… is needed; the comments in conf/ say what it is")
    nodes = OmegaConf.to_container(cfg, resolve=True)
    values = dict(leaves(nodes))
    for key, hint in {**dict(annotated(nodes)), **PLAIN}.items():
        if key in values and not fits(values[key], hint):
            raise ConfigError(f"{set_by(key, written)}={shown(values[key])}: expected {describe(hint)}")
    for key, (low, high) in RANGES.items():
        given = values.get(key)
        for value in given if isinstance(given, list) else [given]:
            if isinstance(value, int | float) and not low <= value <= high:
                expected = f"{low} to {high}" if high < math.inf else f"{low} or more"
                raise ConfigError(f"{set_by(key, written)}={shown(given)}: expected {expected}")
    if nodes["explainer"].get("choice") and nodes["explainer"].get("threshold") is not None:
        number = f"explainer.threshold={shown(nodes['explainer']['threshold'])}"
        raise ConfigError(f"{number}: a number is for threshold=fixed; the chosen threshold= finds its own")
    for file in (values[key] for key in FILES):
        if file not in NO_FILES:
            expect_file(Path(str(file)))


def build_explainer(node: DictConfig, **live: Any) -> Any:
    """The explainer of a node like those of conf/explainer, with one of conf/threshold merged into it: a `choice`, and
    the keys that it refers to, of which the explainer takes those that its constructor names."""
    taken = OmegaConf.to_container(node, resolve=True)
    choice = taken.pop("choice", {})
    named = {"_target_", *inspect.signature(get_object(node._target_)).parameters}
    own = {key: value for key, value in taken.items() if key in named or key not in choice}
    said = {**({"threshold": build(node.choice)} if choice else {}), **live}
    if "threshold" in said:
        own.pop("area", None)
    return build(own, **said)


def parts_needed(explainer: DictConfig) -> list[str]:
    """Which of `PARTS` the constructor of an explainer's node names."""
    taken = inspect.signature(get_object(explainer._target_)).parameters
    return [name for name in PARTS if name in taken]


def leaves(node: dict, section: str = "") -> Iterator[tuple[str, Any]]:
    """Every value below a node that is not a node itself, by its full key.

    >>> dict(leaves({"seed": 0, "data": {"root": None, "splits": [1, 2]}}))
    {'seed': 0, 'data.root': None, 'data.splits': [1, 2]}
    """
    for key, value in node.items():
        yield from leaves(value, f"{section}{key}.") if isinstance(value, dict) else [(f"{section}{key}", value)]


def annotated(node: dict, section: str = "") -> Iterator[tuple[str, Any]]:
    """What the values below a node are annotated with where something is made of them, by full key."""
    taken = annotations(get_object(node["_target_"])) if "_target_" in node else {}
    for key, value in node.items():
        if key in taken:
            yield f"{section}{key}", taken[key]
        if key == "fit":
            yield from ((f"{section}fit.{option}", hint) for option, hint in annotations(pl.Trainer).items())
        if isinstance(value, dict):
            yield from annotated(value, f"{section}{key}.")


def set_by(key: str, written: dict[str, Any]) -> str:
    """The key that a user sets: where the configuration has a mere reference to another, that one."""
    reference = re.fullmatch(r"\$\{([\w.]+)\}", str(written.get(key)))
    return set_by(reference[1], written) if reference else key


def shown(value: Any) -> str:
    """As it is typed on a command line."""
    if isinstance(value, list):
        return f"[{','.join(map(shown, value))}]"
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
