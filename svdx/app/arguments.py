"""Prepares the words of a command line for Hydra: paths are quoted, and flags come first."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from os.path import exists  # never an error, whatever the name

from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from svdx.errors import ConfigError

PATHS = {  # keys whose value is a path
    "audio",
    "classifier.standardisation",
    "classifier.weights",
    "data.corpus.root",
    "data.root",
    "gather",
    "hydra.run.dir",
    "hydra.sweep.dir",
    "hydra.sweep.subdir",
    "inverter.weights",
    "models",
    "paths.cache",
    "paths.run",
    "plot",
    "store.directory",
}
MODES = ("run", "multirun", "cfg", "info", "shell_completion")  # Hydra's flags, of which it takes one
OVERRIDE = re.compile(r"(\+{0,2}([\w.]+))=(.+)", re.DOTALL)
HYDRAS_QUOTES = re.compile(r"'([^'\\]|\\.)*'|\"([^\"\\]|\\.)*\"", re.DOTALL)  # one quoted string
HYDRAS_SWEEP = re.compile(r"(choice|shuffle|sort|tag)\(.*\)", re.DOTALL)
INTERPOLATION = re.compile(r"\$\{[A-Za-z_][\w.]*(:[^{}]*)?\}")


def as_typed(words: Sequence[str]) -> list[str]:
    """Move Hydra's flags to the front, and quote paths that Hydra would read as something else.

    Hydra refuses a flag between two overrides, and reads a folder called 2024_05 as a number. With -m a comma in a path
    that does not exist separates two paths.

    Raises: ConfigError for a word without a key, and for flags that exclude each other.

    >>> as_typed(["audio=2024_05", "-m", "seed=1,2"])
    ['-m', "audio='2024_05'", 'seed=1,2']
    """
    arguments = get_args_parser().parse_known_intermixed_args(words)[0]
    modes = [mode for mode in MODES if getattr(arguments, mode)]
    if len(modes) > 1:
        raise ConfigError(f"{' and '.join(f'--{mode}' for mode in modes)} exclude each other: give one of them")
    overrides = arguments.overrides
    for word in overrides:
        if "=" not in word and not word.startswith("~"):
            raise ConfigError(f"{word}: expected KEY=VALUE, as audio=FILE for an audio file")
    flags = [word for word in words if word not in overrides]
    swept = arguments.multirun or "hydra.mode=MULTIRUN" in overrides
    return [*flags, *(_quoted(word, swept) for word in overrides)]


def _quoted(override: str, swept: bool) -> str:
    found = OVERRIDE.fullmatch(override)
    if not found or found[2] not in PATHS:
        return override
    return f"{found[1]}={_path(found[3], swept and not found[2].startswith('hydra.'))}"


def _path(path: str, swept: bool = False) -> str:
    """Quote a path for Hydra if needed. swept: it may be several paths, separated by commas"""
    if not exists(path):  # noqa: PTH110
        if path == "null" or HYDRAS_QUOTES.fullmatch(path) or (swept and HYDRAS_SWEEP.fullmatch(path)):
            return path
        if swept and "," in path:
            return path if re.search("['\"]", path) else ",".join(map(_path, path.split(",")))
    path = _in_home(path)
    literal = exists(path) or not INTERPOLATION.search(path)  # noqa: PTH110
    if _is_read_unchanged(path) and not (literal and "${" in path):
        return path
    if literal:
        path = re.sub(r"(\\*)\$\{", r"\1\1\\${", path)  # OmegaConf would look up what follows
    path = re.sub(r"(\\*)'", r"\1\1\\'", path)
    trailing = len(path) - len(path.rstrip("\\"))
    return f"'{path}{trailing * chr(92)}'"


def _in_home(path: str) -> str:
    """Expand ~ at the beginning of a path; shells expand it at the beginning of a word only."""
    return path if exists(path) else os.path.expanduser(path)  # noqa: PTH110, PTH111 (leaves an unknown user's as it is)


def _is_read_unchanged(path: str) -> bool:
    """Whether Hydra reads a path as this text."""
    try:
        return OverridesParser.create().parse_override(f"path={path}").value() == path
    except HydraException:
        return False
