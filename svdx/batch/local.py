"""The engine without a cluster: this process, or those of a trainer with several devices or nodes (DDP)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytorch_lightning as pl
from rich.progress import track as progress
from torch import distributed

from svdx.batch.job import REFUSED, Job, Outcome, in_order, warn_if_failed

LONGEST = timedelta(days=365)  # for which a process waits for the others, whose tracks may be longer


class Local:
    """An engine, see `svdx.batch.job.Engine`.

    trainer: determines the number of processes, and the device of each
    """

    def __init__(self, trainer: pl.Trainer) -> None:
        self.trainer = trainer

    def __call__(self, job: Job, tracks: Sequence[tuple[str, str]]) -> list[Outcome] | None:
        share = _RankTracks(job.to(self.trainer.strategy.root_device), tracks)
        self.trainer.predict(share, return_predictions=False)
        outcomes = share.gathered()
        return None if outcomes is None else in_order(outcomes)


class _RankTracks(pl.LightningModule):
    """Every n-th track, for each of n processes."""

    def __init__(self, job: Job, tracks: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.job, self.tracks, self.group = job, tracks, None
        self.outcomes: dict[int, Outcome] = {}  # of this process, by the number of the track

    def setup(self, stage: str) -> None:
        if self.trainer.world_size > 1:  # a group of its own: the default one gives up after half an hour
            self.group = distributed.new_group(backend="gloo", timeout=LONGEST)

    def predict_dataloader(self) -> Iterator[list]:
        """One batch, the whole share, which may be empty. An iterator, since Lightning inspects lists."""
        yield list(enumerate(self.tracks))[self.global_rank :: self.trainer.world_size]

    def predict_step(self, share: list[tuple[int, tuple[str, str]]]) -> dict[int, Outcome]:
        what = f"explaining {len(share)} of {len(self.tracks)} tracks"
        for number, track in progress(share, what, disable=not self.trainer.is_global_zero):
            self.outcomes[number] = self.job(*track)
            warn_if_failed(self.outcomes[number])
            if self.outcomes[number].state == REFUSED:
                break
        return self.outcomes

    def gathered(self) -> dict[int, Outcome] | None:
        """The outcomes of all processes in the first of them, None in the others."""
        if self.group is None:
            return self.outcomes
        shares = [{}] * self.trainer.world_size if self.trainer.is_global_zero else None
        distributed.gather_object(self.outcomes, shares, group=self.group)
        return None if shares is None else {number: outcome for share in shares for number, outcome in share.items()}
