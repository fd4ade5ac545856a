"""Overrides of a comparison: those that are refused, and how the methods' options differ from conf/explainer."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from svdx.app.multirun import overrides
from svdx.app.settings import leaves, plain
from svdx.schema.checks import as_typed

COMPARISON = re.compile(r"[+~]*((explainer@)?compare\.(?!shown)|excerpts\.(?!split|batch_size))")
INEFFECTIVE = re.compile(
    r"[+~]*((explainer|thresholds?|areas|points|controls|detection|agreement)\b(?!@)"
    r"|compare\.methods\.\w+\.(keep|threshold)=)"
)
GROUP = "explainer@compare.methods."  # of Hydra's choices


def comparison_overrides() -> list[str]:
    """Overrides of what is compared and of the excerpts, except the split and the area that the tables show."""
    return [word for word in overrides() if COMPARISON.match(word)]


def ineffective_overrides() -> list[str]:
    """Overrides of the explainer, its mask and the curve, which have no effect on a comparison."""
    return [word for word in overrides() if INEFFECTIVE.match(word)]


def method_files() -> dict[str, str]:
    """The file of conf/explainer that each method comes from, by the method's name; none outside of a command."""
    if not HydraConfig.initialized():
        return {}
    choices = HydraConfig.get().runtime.choices
    return {key.removeprefix(GROUP): file for key, file in choices.items() if key.startswith(GROUP)}


def changed_options(methods: DictConfig, files: Mapping[str, str]) -> dict[str, list[str]]:
    """Options that differ from the method's file as "KEY=VALUE (DEFAULT)", by method; without unchanged methods.

    methods: config nodes by name; files: of conf/explainer by method. For a method without a file all options count.
    """
    added = [f"+explainer@originals.{name}={file}" for name, file in files.items() if name in methods]
    originals = plain(compose("evaluate", added).originals, resolve=False) if added else {}
    changed: dict[str, list[str]] = {}
    for name, node in plain(methods, resolve=False).items():
        defaults = dict(leaves(originals.get(name, {})))
        for key, value in leaves(node):
            if key not in defaults or defaults[key] != value:
                default = f" ({as_typed(defaults[key])})" if key in defaults else ""
                changed.setdefault(name, []).append(f"{key}={as_typed(value)}{default}")
    return changed


def describe_options(changed: Mapping[str, list[str]]) -> str:
    """A sentence for the page. changed: of `changed_options`"""
    if not changed:
        return "All options are those of conf/explainer."
    options = "; ".join(f"{name} {', '.join(options)}" for name, options in changed.items())
    return f"Options that differ from conf/explainer (defaults in parentheses): {options}."
