"""What an engine runs for every track, and what can come of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import torch

from svdx.errors import ConfigError

log = logging.getLogger(__name__)

DONE, THERE, FAILED, REFUSED = "done", "there", "failed", "refused"


class Outcome(NamedTuple):
    """What became of a track.

    state: done; there (it was done before); failed: the track's own fault; refused: what no track can be done with
    reason: why it failed or was refused
    """

    state: str
    reason: str = ""


class Job(Protocol):
    """A callable: the path of a file and the name of its track → what became of it. It can be pickled.

    What it writes it writes whole or not at all, so that it may be begun again at any time.
    """

    def to(self, device: torch.device | str) -> Job:
        """Move the networks to a device."""

    def __call__(self, file: str, name: str) -> Outcome: ...


class Engine(Protocol):
    """A callable: a job and (file, name) of many tracks → what became of each, in their order.

    None in a process that only helps another one. Raises: ConfigError where a track is refused.
    """

    def __call__(self, job: Job, tracks: Sequence[tuple[str, str]]) -> list[Outcome] | None: ...


def tell(outcome: Outcome) -> None:
    """Say at once that a track has failed."""
    if outcome.state == FAILED:
        log.warning(f"left out: {outcome.reason}")


def in_order(outcomes: Mapping[int, Outcome]) -> list[Outcome]:
    """Outcomes by the number of their track, in the tracks' order. Raises: ConfigError if one was refused."""
    ordered = [outcomes[number] for number in sorted(outcomes)]
    for outcome in ordered:
        if outcome.state == REFUSED:
            raise ConfigError(outcome.reason)
    return ordered
