"""The engine without a cluster: this process, or those of a trainer with several devices or nodes (DDP)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytorch_lightning as pl
from rich.progress import track as progress
from torch import distributed

from svdx.batch.job import REFUSED, Job, Outcome, in_order, warn_if_failed

LONGEST = timedelta(days=365)  # that a process waits for the others, whose tracks may be longer


class Local:
    """An engine, see `svdx.batch.job.Engine`.

    trainer: how many processes there are, and on which device each has its networks
    """

    def __init__(self, trainer: pl.Trainer) -> None:
        self.trainer = trainer

    def __call__(self, job: Job, tracks: Sequence[tuple[str, str]]) -> list[Outcome] | None:
        share = _Share(job.to(self.trainer.strategy.root_device), tracks)
        (own,) = self.trainer.predict(share)
        outcomes = share.gathered(own)
        return None if outcomes is None else in_order(outcomes)


class _Share(pl.LightningModule):
    """Every n-th track, for each of n processes."""

    def __init__(self, job: Job, tracks: Sequence[tuple[str, str]]) -> None:
        super().__init__()
        self.job, self.tracks, self.group = job, tracks, None

    def setup(self, stage: str) -> None:
        if self.trainer.world_size > 1:  # a group of its own: the default one gives up after half an hour
            self.group = distributed.new_group(backend="gloo", timeout=LONGEST)

    def predict_dataloader(self) -> Iterator[list]:
        """One batch, the whole share, which may be empty; an iterator, since Lightning looks into lists."""
        yield list(enumerate(self.tracks))[self.global_rank :: self.trainer.world_size]

    def predict_step(self, share: list[tuple[int, tuple[str, str]]]) -> dict[int, Outcome]:
        outcomes = {}
        what = f"explaining {len(share)} of {len(self.tracks)} tracks"
        for number, track in progress(share, what, disable=not self.trainer.is_global_zero):
            outcomes[number] = self.job(*track)
            warn_if_failed(outcomes[number])
            if outcomes[number].state == REFUSED:
                break
        return outcomes

    def gathered(self, own: dict[int, Outcome]) -> dict[int, Outcome] | None:
        """The outcomes of all processes by the number of the track, in the first of them."""
        if self.group is None:
            return own
        shares = [{}] * self.trainer.world_size if self.trainer.is_global_zero else None
        distributed.gather_object(own, shares, group=self.group)
        return None if shares is None else {number: outcome for share in shares for number, outcome in share.items()}
