"""The worker of a cluster. It is imported there, so it imports little."""

from __future__ import annotations

import os
import traceback
from typing import Any

from svdx.batch.job import Job, Outcome

BROKEN = "broken"  # a further state of an outcome: a defect of svdx, raised in the main process


class Worker:
    """Holds the networks and processes rows of Ray Data: number, file, name → number, state, reason.

    device: of the networks; folder: working directory, for relative paths
    """

    def __init__(self, job: Job, device: str, folder: str) -> None:
        os.chdir(folder)
        self.job = job.to(device)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            outcome = self.job(row["file"], row["name"])
        except Exception:  # Ray Data would drop the row
            outcome = Outcome(BROKEN, traceback.format_exc())
        return {"number": row["number"], **outcome._asdict()}
