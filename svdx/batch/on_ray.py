"""The engine for a catalogue: Ray Data, on this machine or on a cluster."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from rich.progress import track as progress

from svdx.batch.job import FAILED, REFUSED, Job, Outcome, in_order, warn_if_failed
from svdx.batch.worker import BROKEN, Worker
from svdx.errors import ConfigError
from svdx.schema.checks import checked
from svdx.schema.types import NonNegativeFloat, PositiveInt

RETRIES, ROUNDS = 1, 3  # for a track whose worker dies: retried at once; and after the other tracks


@checked
class OnRay:
    """An engine, see `svdx.batch.job.Engine`: workers with the networks in memory take one track after another.

    A worker that dies is replaced and its track started again. All machines of a cluster must have svdx installed and
    the audio and the results' directory under the same paths.

    trainer: must not have several devices or a GPU, which are for the other engine
    workers: number of workers, with one processor core each; None: one per core
    address: of a cluster; "auto": the cluster of this machine; None: a local one for this run
    gpus: per worker; with 0.25 four workers share a GPU
    """

    def __init__(
        self,
        trainer: pl.Trainer,
        workers: PositiveInt | None = None,
        address: str | None = None,
        gpus: NonNegativeFloat = 0.0,
    ) -> None:
        if find_spec("ray") is None:
            raise ConfigError("engine=ray: Ray is not installed: pip install 'svdx[ray]'")
        if trainer.world_size > 1 or trainer.strategy.root_device.type != "cpu":
            raise ConfigError("engine=ray has engine.workers, with engine.gpus each: leave out the devices of trainer")
        self.workers, self.address, self.gpus = workers, address, gpus

    def __call__(self, job: Job, tracks: Sequence[tuple[str, str]]) -> list[Outcome]:
        outcomes: dict[int, Outcome] = {}
        with _cluster(self.address, self.workers) as cores:
            for row in progress(self._rows(job, tracks, cores), f"explaining {len(tracks)} tracks", total=len(tracks)):
                outcome = outcomes[row["number"]] = Outcome(row["state"], row["reason"])
                if outcome.state == BROKEN:
                    raise RuntimeError(f"{tracks[row['number']][0]}: {outcome.reason}")
                if outcome.state == REFUSED:
                    break
                warn_if_failed(outcome)
        return in_order(outcomes)

    def _rows(self, job: Job, tracks: Sequence[tuple[str, str]], cores: int) -> Iterator[dict[str, Any]]:
        """A row per track, in the order of completion; see `Worker`."""
        left = dict(enumerate(tracks))
        for _ in range(ROUNDS):  # a machine that dies takes its tracks, and their retries, with it
            for row in self._round(job, left, min(self.workers or cores, len(left))):
                left.pop(row["number"], None)
                yield row
            if not left:
                return
        for number, (file, _) in left.items():
            yield {"number": number, "state": FAILED, "reason": f"{file}: every worker that processed it died"}

    def _round(self, job: Job, tracks: Mapping[int, tuple[str, str]], workers: int) -> Iterator[dict[str, Any]]:
        """The rows of the tracks whose workers survived."""
        from ray.data import ActorPoolStrategy, DataContext, from_items

        logging.getLogger("ray.data").setLevel(logging.CRITICAL)
        context = DataContext.get_current().copy()
        context.enable_progress_bars = False
        context.max_errored_blocks = -1  # no number of killed workers ends the run; other failures are rows
        context.execution_no_progress_timeout_s = -1  # a track may be long
        rows = [{"number": number, "file": file, "name": name} for number, (file, name) in tracks.items()]
        with DataContext.current(context), warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*is deprecated and will be removed in Ray.*")  # max_task_retries
            results = from_items(rows, override_num_blocks=len(rows)).map(  # one block per track
                Worker,  # type: ignore[arg-type]  # the stubs lack classes of callables
                fn_constructor_args=(job, "cuda" if self.gpus else "cpu", str(Path.cwd())),
                compute=ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=1),
                num_cpus=1,
                num_gpus=self.gpus or None,
                max_task_retries=RETRIES,
            )
        return iter(results.iter_rows())


@contextmanager
def _cluster(address: str | None, workers: int | None) -> Iterator[int]:
    """Connect to a cluster, or start a local one, and yield its number of cores. An existing connection stays open.

    Raises: ConfigError.
    """
    import ray

    is_connected = ray.is_initialized()
    if not is_connected:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
        local = {"address": "local", "num_cpus": workers, "include_dashboard": False}
        where = {"address": address} if address else local
        try:
            with _mute():
                ray.init(**where, log_to_driver=False, logging_level=logging.CRITICAL)
        except Exception as error:  # Ray raises half a dozen kinds
            raise ConfigError(f"ray.address={address or 'null'}: {' '.join(str(error).split())}") from error
    try:
        yield int(ray.cluster_resources().get("CPU", 1))
    finally:
        if not is_connected:
            ray.shutdown()


@contextmanager
def _mute() -> Iterator[None]:
    """Discard standard error: Ray's core writes there directly, whatever the logging level."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nothing:
        os.dup2(nothing.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
