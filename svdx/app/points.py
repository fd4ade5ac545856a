"""Where a curve has its points, and a page's table its rows: at thresholds of the salience, or at areas."""

from __future__ import annotations

from hydra.utils import get_class
from omegaconf import DictConfig

from svdx.app.settings import build
from svdx.errors import ConfigError
from svdx.explain.thresholds import LEAST, Area, Choice, position
from svdx.report.slider import AREAS, THRESHOLDS


def curve_points(cfg: DictConfig) -> list[float | Choice]:
    """The points of a curve: the configured cut alone where there is one, else all that are listed.

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
    """The rows of a page's table, all that are listed.

    Raises: ConfigError where they, with what the explainer's cut comes to, are too many for the page's slider.
    """
    listed, cut = listed_points(cfg), cut_of(cfg.explainer)
    own = get_class(cfg.explainer._target_).default_threshold if cut is None else cut
    scale, kind = (AREAS, Area) if listed and isinstance(listed[0], Area) else (THRESHOLDS, float | int)
    scale.steps([*map(position, listed), position(own) if isinstance(own, kind) else LEAST])
    return listed


def cut_of(explainer: DictConfig) -> float | Choice | None:
    """Where an explainer's node says that its scores are cut; None: it leaves that to the explainer."""
    if explainer.get("choice"):
        return build(explainer.choice)
    return explainer.threshold if explainer.get("area") is None else Area(explainer.area)


def listed_points(cfg: DictConfig) -> list[float] | list[Area]:
    """The list that was given, `thresholds` or `areas`; with neither, the one of `points` that fits the explainer.

    Raises: ConfigError for both.
    """
    if cfg.thresholds is not None and cfg.areas is not None:
        raise ConfigError("thresholds=[…] and areas=[…]: a curve goes over one of them; give one")
    if cfg.thresholds is not None:
        return list(cfg.thresholds)
    if cfg.areas is not None:
        return areas(cfg.areas)
    return areas(cfg.points.areas) if is_cut_by_area(cfg.explainer) else list(cfg.points.thresholds)


def areas(shares: list[float]) -> list[Area]:
    """Shares of the bins as cuts."""
    return [Area(share) for share in shares]


def is_cut_by_area(explainer: DictConfig) -> bool:
    """Do curves of an explainer's node go over areas? Not where it is cut at a number, nor with threshold=fixed, which
    leaves it neither `area` nor `choice`."""
    is_fixed = explainer.threshold is not None or not {"area", "choice"} & set(explainer)
    return not is_fixed and isinstance(get_class(explainer._target_).default_threshold, Area)
