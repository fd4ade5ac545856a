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
    asked = schedule(section)
    found = said_of(weights).get("schedule", asked)
    if found != asked:
        now = " ".join(word for word in asked.split() if word not in found.split())
        log.warning(f"{weights}: trained with {found}; the configuration says {now}; train.py trains it anew")
