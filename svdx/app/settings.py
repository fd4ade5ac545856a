"""Objects from nodes of a configuration."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, OmegaConf

PARTS = ("inverter", "examples")  # what an explainer may need besides the classifier


def build(node: DictConfig | dict[str, Any], *arguments: Any, **options: Any) -> Any:
    """Instantiate a node with further arguments; these bypass Hydra, which would copy them."""
    return instantiate(node, _partial_=True, _convert_="all")(*arguments, **options)


def build_explainer(node: DictConfig, **options: Any) -> Any:
    """Instantiate a node of conf/explainer into which one of conf/threshold is merged.

    The latter is a `choice` with options of its own beside it, of which the explainer gets those that its constructor
    names.
    """
    values = plain(node)
    choice = values.pop("choice", {})
    named = {"_target_", *inspect.signature(get_object(node._target_)).parameters}
    own = {key: value for key, value in values.items() if key in named or key not in choice}
    options = {**({"threshold": build(node.choice)} if choice else {}), **options}
    if "threshold" in options:
        own.pop("area", None)
    return build(own, **options)


def plain(node: DictConfig, resolve: bool = True) -> dict[str, Any]:
    """A node as dictionaries, lists and plain values. resolve: replace references by what they refer to"""
    return cast(dict[str, Any], OmegaConf.to_container(node, resolve=resolve))


def parts_needed(explainer: DictConfig) -> list[str]:
    """Which of `PARTS` the constructor of an explainer's node names."""
    parameters = inspect.signature(get_object(explainer._target_)).parameters
    return [name for name in PARTS if name in parameters]


def leaves(node: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, Any]]:
    """Every value below a node that is not a node itself, by its full key.

    >>> dict(leaves({"seed": 0, "data": {"root": None, "splits": [1, 2]}}))
    {'seed': 0, 'data.root': None, 'data.splits': [1, 2]}
    """
    for key, value in node.items():
        yield from leaves(value, f"{section}{key}.") if isinstance(value, dict) else [(f"{section}{key}", value)]


def key_set_by(key: str, written: Mapping[str, Any]) -> str:
    """The key that a user sets: for a mere reference to another key, that one.

    written: the configuration's values by full key, with references unresolved
    """
    reference = re.fullmatch(r"\$\{([\w.]+)\}", str(written.get(key)))
    return key_set_by(reference[1], written) if reference else key
