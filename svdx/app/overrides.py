"""What the configured methods are asked otherwise than conf/explainer has it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from svdx.app.multirun import overrides
from svdx.app.settings import leaves
from svdx.schema.checks import as_typed

TYPED = re.compile(r"[+~]*((explainer@)?compare\.(?!shown)|excerpts\.(?!split|batch_size))")
IGNORED = re.compile(
    r"[+~]*((explainer|thresholds?|areas|points|controls|detection|agreement)\b(?!@)"
    r"|compare\.methods\.\w+\.(keep|threshold)=)"
)
GROUP = "explainer@compare.methods."  # of Hydra's choices


def chosen_files() -> dict[str, str]:
    """The file of conf/explainer that each method was made of, by the method's name; none outside of a command."""
    if not HydraConfig.initialized():
        return {}
    choices = HydraConfig.get().runtime.choices
    return {key.removeprefix(GROUP): file for key, file in choices.items() if key.startswith(GROUP)}


def typed() -> list[str]:
    """What was typed of the bench and its excerpts, but for the split and what the bench's tables show."""
    return [word for word in overrides() if TYPED.match(word)]


def ignored() -> list[str]:
    """What was typed of the explainer, its mask and the curve, which the bench has its own of."""
    return [word for word in overrides() if IGNORED.match(word)]


def changed_options(methods: DictConfig, files: Mapping[str, str]) -> dict[str, list[str]]:
    """Options as KEY=VALUE, with the file's value in brackets, by method; without methods that have none.

    methods: the nodes, by name; files: of conf/explainer, by a method's name. A method of no file has all its options.
    """
    added = [f"+explainer@usual.{name}={file}" for name, file in files.items() if name in methods]
    usual = OmegaConf.to_container(compose("evaluate", added).usual) if added else {}
    found = {}
    for name, node in OmegaConf.to_container(methods).items():
        before = dict(leaves(usual.get(name, {})))
        found[name] = [
            f"{key}={as_typed(value)}{_instead(before, key)}"
            for key, value in leaves(node)
            if key not in before or before[key] != value
        ]
    return {name: options for name, options in found.items() if options}


def _instead(before: dict[str, object], key: str) -> str:
    return f" ({as_typed(before[key])})" if key in before else ""


def options_line(changed: Mapping[str, list[str]]) -> str:
    """A sentence for the page."""
    if not changed:
        return "All options are those of conf/explainer."
    said = "; ".join(f"{name} {', '.join(options)}" for name, options in changed.items())
    return f"Options that differ from conf/explainer (there): {said}."
