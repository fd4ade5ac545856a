"""Refuses a configuration in one line that names the key, before anything is computed.

`validate_settings` needs no torch. `validate_config` also checks every node with a `_target_` against the signature of
its target, for which it imports the target.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from inspect import isclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from hydra.utils import get_object
from omegaconf import MISSING, DictConfig
from pydantic import Field

from svdx.app.multirun import in_multirun
from svdx.app.settings import key_set_by, leaves, plain
from svdx.audio.probe import open_sound
from svdx.corpora.loose_files import is_directory_or_pattern
from svdx.errors import ConfigError, expect_file
from svdx.schema.checks import Option, as_typed, check_together, options_of, takes_any_option
from svdx.schema.types import AnyPath, NonNegativeFloat, PositiveInt, Seed, Share, Threshold

FILES = ("classifier.weights", "classifier.standardisation", "inverter.weights")
NO_FILES = (None, "own", "target")  # the latter two of a standardisation


class PointsSettings:
    thresholds: list[Threshold]
    areas: list[Share]


class ExplainerSettings:
    threshold: Threshold | None
    area: Share | None


class ClassifierSettings:
    weights: AnyPath | None
    standardisation: AnyPath
    threshold: Share | None


class InverterExcerptsSettings:
    batch_size: Annotated[int, Field(ge=2)]  # batch norm


class InverterSettings:
    name: str
    weights: AnyPath | None
    excerpts: InverterExcerptsSettings


class CompareSettings:
    shown: Share


class Settings:
    """Keys that no constructor takes, or that a constructor takes in another form."""

    seed: Seed
    threads: PositiveInt | None
    resume: bool
    overwrite: bool
    model: Literal["inverter", "svdnet"]
    thresholds: list[Threshold] | None
    areas: list[Share] | None
    points: PointsSettings
    explainer: ExplainerSettings
    classifier: ClassifierSettings
    inverter: InverterSettings
    compare: CompareSettings
    controls: list[str]
    detection: bool
    agreement: bool
    plot: AnyPath | None
    gather: AnyPath | None
    audio: AnyPath | None
    start: NonNegativeFloat | Literal["all"] | None
    hop: float | None
    sounds: bool
    maximise: Annotated[str | int | float, "a unit, as fc8.17"] | None


def validate_settings(cfg: DictConfig) -> None:
    """Check the keys of `Settings`, and that the files of networks and audio exist.

    Raises: ConfigError; WeightsError or AudioError for a file.
    """
    written = dict(leaves(plain(cfg, resolve=False)))
    for key, value in written.items():
        if value == MISSING:
            raise ConfigError(f"{key}=… is needed; the comments in conf/ say what it is")
    nodes = plain(cfg)
    values = dict(leaves(nodes))
    for key, option in settings().items():
        if key in values:
            _check(key, option, values[key], written)
    if nodes["explainer"].get("choice") and values["explainer.threshold"] is not None:
        number = f"explainer.threshold={as_typed(values['explainer.threshold'])}"
        raise ConfigError(f"{number}: a number is for threshold=fixed; the chosen threshold= finds its own")
    for file in (values[key] for key in FILES):
        if file not in NO_FILES:
            expect_file(Path(str(file)))
    if "audio" in cfg:
        _validate_audio(cfg.audio, cfg.start, cfg.hop, cfg.maximise)


def validate_config(cfg: DictConfig) -> None:
    """Check the settings, the devices, and the options of everything that the configuration names as a `_target_`.

    Raises: ConfigError; WeightsError for a missing file.
    """
    validate_settings(cfg)
    check_devices(cfg.trainer)
    _validate_targets(cfg)
    _validate_explainers(cfg)
    from svdx.app.loggers import check_loggers

    check_loggers(cfg)


def _validate_audio(audio: Any, start: Any, hop: float | None, maximise: Any) -> None:
    """Raises: ConfigError for keys of explain.py without content or effect; AudioError for an unreadable file."""
    if audio is not None and not str(audio).strip():
        raise ConfigError("audio= is empty: give an audio file, a directory or a pattern")
    if hop is not None and start != "all":
        raise ConfigError(f"hop={hop}: applies to whole tracks only; add start=all, or leave hop= out")
    if maximise is not None and not (audio is None and start is None):
        raise ConfigError(f"maximise={maximise} cannot be combined with audio= or start=: leave them out")
    if audio is not None and not is_directory_or_pattern(str(audio)):
        with open_sound(Path(str(audio))):
            pass


def check_devices(trainer: DictConfig) -> None:
    """Raises ConfigError for devices that this machine lacks, and for several devices in a multirun."""
    from svdx.app.trainer import world_size

    if world_size(trainer) > 1 and in_multirun():
        raise ConfigError("several devices in a multirun: each of their processes would run the whole sweep; use one")


def settings(model: type = Settings, section: str = "") -> dict[str, Option]:
    """The options of `Settings` by their full keys."""
    options: dict[str, Option] = {}
    for name, hint in get_type_hints(model, include_extras=True).items():
        nested = isclass(hint) and hint.__module__ == __name__
        options |= settings(hint, f"{section}{name}.") if nested else {f"{section}{name}": Option(hint)}
    return options


def targets(node: Mapping[str, Any], section: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every node with a `_target_` below a node, with the beginning of its keys."""
    if "_target_" in node:
        yield section, node
    for name, value in node.items():
        if isinstance(value, dict):
            yield from targets(value, f"{section}{name}.")


def _validate_targets(cfg: DictConfig) -> None:
    from svdx.app.trainer import make_trainer, trainer_options

    written = dict(leaves(plain(cfg, resolve=False)))
    nodes = plain(cfg)
    checked_before = settings()
    for section, node in targets(nodes):
        target = _import_target(section, node)
        is_trainer = target is make_trainer
        options = trainer_options() if is_trainer else options_of(target)
        is_open = takes_any_option(target) and not is_trainer
        values = {name: value for name, value in node.items() if not name.startswith("_")}
        choice = values.pop("choice", {})  # of a threshold, with options of its own
        for name, value in values.items():
            key = f"{section}{name}"
            if name in options and key not in checked_before:
                _check(key, options[name], value, written)
            elif name not in options and name not in choice and not is_open:
                raise ConfigError(f"{key_set_by(key, written)}: {target.__name__} has no option {name}")
        check_together(target, {name: value for name, value in values.items() if name in options})
    for network in ("classifier", "inverter"):
        for name, value in nodes[network]["fit"].items():
            if name not in trainer_options():
                raise ConfigError(f"{network}.fit.{name}: Lightning's trainer has no option {name}")
            _check(f"{network}.fit.{name}", trainer_options()[name], value, written)


def _import_target(section: str, node: Mapping[str, Any]) -> Any:
    try:
        return get_object(node["_target_"])
    except (ImportError, ValueError, AttributeError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{section}_target_={node['_target_']}: cannot be imported ({reason})") from error


def _validate_explainers(cfg: DictConfig) -> None:
    """Checks that involve other keys than the explainer's own."""
    from svdx.explanation.methods.controls import check_controls

    for node in (cfg.explainer, *cfg.get("compare", {}).get("methods", {}).values()):
        if hasattr(get_object(node._target_), "check_layer"):
            get_object(node._target_).check_layer(cfg.layer)
    if cfg.get("start") == "all" and "choice" in cfg.explainer:
        get_object(cfg.explainer.choice._target_).check_tracks()
    check_controls(cfg.get("controls", ()))


def _check(key: str, option: Option, value: Any, written: Mapping[str, Any]) -> None:
    """written: the configuration's values by full key, with references unresolved. Raises: ConfigError."""
    if isinstance(value, dict) and option.takes_objects:  # checked against its own target
        return
    problem = option.problem(value)
    if problem:
        raise ConfigError(f"{key_set_by(key, written)}={as_typed(value)}: expected {problem}")
