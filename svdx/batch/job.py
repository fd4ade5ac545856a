"""The contract between an engine and the job that it runs for every track."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import torch

from svdx.errors import ConfigError

log = logging.getLogger(__name__)

DONE, UP_TO_DATE, FAILED, REFUSED = "done", "up to date", "failed", "refused"


class Outcome(NamedTuple):
    """The outcome of a track.

    state: done; up to date: it was done before; failed: because of the track; refused: no track can be done with these
        settings
    reason: why it failed or was refused
    """

    state: str
    reason: str = ""


class Job(Protocol):
    """A callable: path of a file and name of its track → outcome. It can be pickled.

    It writes atomically, so that it can be started again at any time.
    """

    def to(self, device: torch.device | str) -> Job:
        """Move the networks to a device."""

    def __call__(self, file: str, name: str) -> Outcome: ...


class Engine(Protocol):
    """A callable: a job and (file, name) of many tracks → the outcome of each, in their order.

    Returns: None in all processes but the first. Raises: ConfigError if a track is refused.
    """

    def __call__(self, job: Job, tracks: Sequence[tuple[str, str]]) -> list[Outcome] | None: ...


def warn_if_failed(outcome: Outcome) -> None:
    """Log at once that a track has failed."""
    if outcome.state == FAILED:
        log.warning(f"left out: {outcome.reason}")


def in_order(outcomes: Mapping[int, Outcome]) -> list[Outcome]:
    """Outcomes, given by the number of their track, in the tracks' order. Raises: ConfigError if one was refused."""
    ordered = [outcomes[number] for number in sorted(outcomes)]
    for outcome in ordered:
        if outcome.state == REFUSED:
            raise ConfigError(outcome.reason)
    return ordered
