"""Points of curves and rows of a page's table: thresholds of the salience, or areas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from hydra.utils import get_class
from omegaconf import DictConfig

from svdx.app.settings import build
from svdx.errors import ConfigError
from svdx.explanation.explainer import Explainer
from svdx.explanation.thresholds import LEAST, Area, Choice, position
from svdx.report.slider import AREAS, THRESHOLDS


def curve_points(cfg: DictConfig) -> Sequence[float | Choice]:
    """The points of a curve: the configured cut if there is one, otherwise `listed_points`.

    Raises: ConfigError for an empty list.
    """
    cut, listed = cut_of(cfg.explainer), listed_points(cfg)
    if cut is not None:
        return [cut]
    if not listed:
        key, example = ("thresholds", "[0.0,0.1]") if cfg.areas is None else ("areas", "[0.05,0.1]")
        raise ConfigError(f"{key}=[]: expected numbers, as {example}")
    return listed


def page_points(cfg: DictConfig) -> list[float] | list[Area]:
    """The rows of a page's table: `listed_points`.

    Raises: ConfigError if the page's slider has too few steps for them and the explainer's cut.
    """
    listed, cut = listed_points(cfg), cut_of(cfg.explainer)
    own = default_threshold(cfg.explainer) if cut is None else cut
    scale, kind = (AREAS, Area) if listed and isinstance(listed[0], Area) else (THRESHOLDS, float | int)
    scale.steps([*map(position, listed), position(own) if isinstance(own, kind) else LEAST])
    return listed


def cut_of(explainer: DictConfig) -> float | Choice | None:
    """The configured cut of an explainer's scores; None for the default of its class."""
    if explainer.get("choice"):
        return build(explainer.choice)
    return explainer.threshold if explainer.get("area") is None else Area(explainer.area)


def default_threshold(explainer: DictConfig) -> float | Choice:
    """Of the class that an explainer's node names."""
    return cast(type[Explainer], get_class(explainer._target_)).default_threshold


def listed_points(cfg: DictConfig) -> list[float] | list[Area]:
    """`thresholds` or `areas` if one is set, otherwise the list of `points` that fits the explainer.

    Raises: ConfigError if both are set.
    """
    if cfg.thresholds is not None and cfg.areas is not None:
        raise ConfigError("thresholds=[…] and areas=[…]: a curve goes over one of them; give one")
    if cfg.thresholds is not None:
        return list(cfg.thresholds)
    if cfg.areas is not None:
        return [Area(share) for share in cfg.areas]
    if is_cut_by_area(cfg.explainer):
        return [Area(share) for share in cfg.points.areas]
    return list(cfg.points.thresholds)


def is_cut_by_area(explainer: DictConfig) -> bool:
    """Whether the curves of an explainer's node go over areas.

    They do not if the node cuts at a number, or with threshold=fixed, which sets neither `area` nor `choice`.
    """
    is_fixed = explainer.threshold is not None or not {"area", "choice"} & set(explainer)
    return not is_fixed and isinstance(default_threshold(explainer), Area)
