"""From a configuration to objects: what it says is held against what they take before anything is made."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytorch_lightning as pl
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf
from torch import nn

from svdx.errors import ConfigError
from svdx.explain.masks import LARGEST_THRESHOLD
from svdx.models.weights import expect_file

PLAIN = {  # keys that no constructor takes, or takes otherwise
    "seed": int,
    "threads": int | None,
    "thresholds": list[float],
    "explainer.threshold": float | None,
    "classifier.threshold": float | None,
    "controls": list[str],
    "detection": bool,
    "agreement": bool,
    "resume": bool,
    "start": float | Literal["all"],
    "hop": float | None,
}
FILES = ("classifier.weights", "classifier.standardisation", "inverter.weights")
NO_FILES = (None, "own", "target")  # the latter of a standardisation
RANGES = {
    "seed": (0, 2**32 - 1),
    "threads": (1, math.inf),
    "start": (0, math.inf),
    "classifier.threshold": (0, 1),
    "explainer.threshold": (0, LARGEST_THRESHOLD),
    "thresholds": (0, LARGEST_THRESHOLD),
    "data.seed": (0, 2**32 - 1),
    "excerpts.seed": (0, math.inf),
    "excerpts.n": (1, math.inf),
    "inverter.excerpts.batch_size": (2, math.inf),  # batch norm
    "store.workers": (1, math.inf),
    **{f"{network}.fit.max_epochs": (1, math.inf) for network in ("classifier", "inverter")},
    **{f"{network}.fit.check_val_every_n_epoch": (1, math.inf) for network in ("classifier", "inverter")},
}
WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a word",
    NoneType: "null",
    Path: "a path",
}


def build(node: DictConfig, *live: Any, **more: Any) -> Any:
    """Instantiate a config node; live objects go around Hydra, which would copy them."""
    return instantiate(node, _partial_=True, _convert_="all")(*live, **more)


def check(cfg: DictConfig) -> None:
    """Refuse values of another kind than is taken, numbers out of range, and files that are not there.

    Raises: ConfigError, which names the key; WeightsError.
    """
    nodes = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    values, written = dict(leaves(nodes)), dict(leaves(OmegaConf.to_container(cfg)))
    for key, hint in {**dict(annotated(nodes)), **PLAIN}.items():
        if key in values and not fits(values[key], hint):
            raise ConfigError(f"{_set_by(key, written)}={_shown(values[key])}: expected {describe(hint)}")
    for key, (low, high) in RANGES.items():
        given = values.get(key)
        for value in given if isinstance(given, list) else [given]:
            if isinstance(value, int | float) and not low <= value <= high:
                expected = f"{low} to {high}" if high < math.inf else f"{low} or more"
                raise ConfigError(f"{_set_by(key, written)}={_shown(given)}: expected {expected}")
    for file in (values[key] for key in FILES):
        if file not in NO_FILES:
            expect_file(Path(str(file)))


def rehearse(cfg: DictConfig, store: Any) -> None:
    """Make of stand-ins what will be made, so that a constructor refuses a setting before a corpus or a network is.

    store: of log-mels
    """
    for node in (cfg.excerpts, cfg.classifier.excerpts, cfg.inverter.excerpts):
        build(node, corpus=None, store=store)
    for section in (cfg.classifier, cfg.inverter):
        build(section.system.network)
        build(cfg.trainer, logger=False, enable_checkpointing=False, **section.fit)
    stand_in = nn.Identity()
    build(cfg.explainer, classifier=stand_in, inverter=stand_in, threshold=cfg.explainer.threshold or 0.0)


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


def annotations(target: Any) -> dict[str, Any]:
    """What a function or a constructor is annotated to take; what a child does not name, its parents take."""
    hints: dict[str, Any] = {}
    for maker in [kind.__init__ for kind in reversed(target.__mro__)] if inspect.isclass(target) else [target]:
        try:
            hints |= get_type_hints(maker)
        except NameError:  # of another library: a name that is there for type checkers only
            continue
    return hints


def fits(value: Any, hint: Any) -> bool:
    """Is a value of a configuration what an annotation says? NaN and infinity are no numbers.

    >>> fits(3, float), fits(True, int), fits(None, int | None), fits("all", Literal["all"]), fits([0.1], list[float])
    (True, False, True, True, True)
    """
    kind, parts = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return any(fits(value, part) for part in parts)
    if kind is Literal:
        return value in parts
    if kind is list:
        return isinstance(value, list) and all(fits(item, parts[0]) for item in value)
    if hint in (int, float):
        number = isinstance(value, int | hint) and not isinstance(value, bool)
        return number and math.isfinite(value)
    if hint in (bool, str, NoneType):
        return isinstance(value, hint)
    return hint is Path or not isinstance(value, bool | int | float | str | NoneType)


def describe(hint: Any) -> str:
    """An annotation in words.

    >>> describe(float | None), describe(list[float]), describe(Literal["mean", "zero", "floor"])
    ('a number or null', '[a number, …]', 'mean, zero or floor')
    """
    kind, parts = get_origin(hint), get_args(hint)
    if kind is list:
        return f"[{describe(parts[0])}, …]"
    if kind is Literal:
        *most, last = map(str, parts)
        return f"{', '.join(most)} or {last}" if most else last
    if kind in (Union, UnionType):
        words = [describe(part) for part in parts if part is not int or float not in parts]
        return " or ".join(dict.fromkeys(words))
    return WORDS.get(hint, "a section")


def _set_by(key: str, written: dict[str, Any]) -> str:
    """The key that a user sets: where the configuration has a mere reference to another, that one."""
    reference = re.fullmatch(r"\$\{([\w.]+)\}", str(written.get(key)))
    return _set_by(reference[1], written) if reference else key


def _shown(value: Any) -> str:
    """As it is typed on a command line."""
    if isinstance(value, list):
        return f"[{','.join(map(_shown, value))}]"
    return str(value).lower() if isinstance(value, bool) else "null" if value is None else str(value)
