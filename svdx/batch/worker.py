"""What lives in a worker of a cluster. It is imported there, so it imports little."""

from __future__ import annotations

import os
import traceback
from typing import Any

from svdx.batch.job import Job, Outcome

BROKEN = "broken"  # beside the states of an outcome: a defect of svdx, to be raised where it is seen


class Worker:
    """The networks, once, and one row of Ray Data after another: number, file, name → number, state, reason.

    device: of the networks; folder: where relative paths begin
    """

    def __init__(self, job: Job, device: str, folder: str) -> None:
        os.chdir(folder)
        self.job = job.to(device)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            outcome = self.job(row["file"], row["name"])
        except Exception:  # Ray Data would drop the row, as it drops a track that kills its worker
            outcome = Outcome(BROKEN, traceback.format_exc())
        return {"number": row["number"], **outcome._asdict()}
