"""How long cached weights were trained, against what the configuration asks for."""

from __future__ import annotations

import logging
from pathlib import Path

from omegaconf import DictConfig

from svdx.models.weights import said_of

log = logging.getLogger(__name__)


def schedule(section: DictConfig) -> str:
    """How long, and on how many excerpts, a section of the configuration trains, as it is typed."""
    asked = {f"fit.{key}": value for key, value in section.fit.items()}
    asked |= {f"excerpts.{key}": section.excerpts[key] for key in ("hop", "batch_size")}
    return " ".join(f"{key}={value}" for key, value in asked.items())


def compare_schedules(weights: Path, section: DictConfig) -> None:
    """Warn of weights that were trained in another way than the configuration asks for."""
    found = said_of(weights).get("schedule", schedule(section))
    if found != schedule(section):
        differs = set(schedule(section).split()) - set(found.split())
        now = " ".join(word for word in schedule(section).split() if word in differs)
        log.warning(f"{weights}: trained with {found}; the configuration says {now}; train.py trains it anew")
