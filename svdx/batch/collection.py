"""Many tracks: a directory with a page for each of them, and a page that links to all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from svdx.batch.finished import UNFINISHED, atomic_directory, is_up_to_date, read_facts, remove_unfinished, write_mark
from svdx.batch.job import DONE, FAILED, REFUSED, UP_TO_DATE, Engine, Outcome
from svdx.batch.request import Request
from svdx.corpora.loose_files import track_at, track_name_of
from svdx.errors import AudioError, ConfigError, CorpusError, ScoreError
from svdx.files.atomic import atomic_write
from svdx.report.page import index_page

RESERVED = ("index.html", UNFINISHED, ".hydra", "explain.log", "config.yaml", "summary.json")  # no track's directory


@dataclass
class TrackJob:
    """The job of an engine: explains an audio file in a directory of its own, unless that is up to date.

    directory: parent of all of them; threads: of torch, on which the last bits of a result depend
    """

    request: Request
    directory: Path
    threads: int = 1

    def to(self, device: torch.device | str) -> TrackJob:
        self.request.to(device)
        return self

    def __call__(self, file: str, name: str) -> Outcome:
        torch.set_num_threads(self.threads)
        place = self.directory / name
        try:
            track = track_at(Path(file))
            key = self.request.key(track)
            if is_up_to_date(place, key):
                return Outcome(UP_TO_DATE)
            with atomic_directory(place) as unfinished:
                write_mark(unfinished, key, self.request(track, unfinished))
        except (AudioError, CorpusError, ScoreError) as error:
            return Outcome(FAILED, str(error))
        except ConfigError as error:
            return Outcome(REFUSED, str(error))
        return Outcome(DONE)


@dataclass
class Collection:
    """The results of many tracks.

    done: facts by the name of the directory; failed: reasons by file; before: how many were up to date already
    """

    done: dict[str, dict[str, str]]
    failed: dict[str, str]
    before: int


def document_collection(title: str, files: Sequence[Path], job: TrackJob, engine: Engine) -> Collection | None:
    """Explain every audio file in a directory of its own below the job's, and write index.html.

    Returns: None in all processes but the first. Raises: AudioError if all files fail; ConfigError.
    """
    named = names(files)
    outcomes = engine(job, [(str(file), name) for file, name in zip(files, named, strict=True)])
    if outcomes is None:
        return None
    remove_unfinished(job.directory)
    failed = {str(file): outcome.reason for file, outcome in zip(files, outcomes) if outcome.state == FAILED}
    if len(failed) == len(files):
        raise AudioError(f"none of {len(files)} tracks could be explained; the first: {outcomes[0].reason}")
    done = [name for name, outcome in zip(named, outcomes) if outcome.state != FAILED]
    before = sum(outcome.state == UP_TO_DATE for outcome in outcomes)
    collection = Collection({name: _facts(job.directory / name) for name in done}, failed, before)
    page = index_page(f"{title}: {len(done)} of {len(files)} tracks", collection.done, failed)
    with atomic_write(job.directory / "index.html") as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    return collection


def _facts(place: Path) -> dict[str, str]:
    try:
        return read_facts(place)
    except OSError as error:
        shared = "the machines that work together need one hydra.run.dir, on a disk that they share"
        raise ConfigError(f"{place}: missing on this machine; {shared}") from error


def names(files: Sequence[Path]) -> list[str]:
    """A unique name for each file's track; the second track of a name gets a number.

    >>> names([Path("a/x.wav"), Path("b/x.mp3"), Path("y.wav")])
    ['x', 'x 2', 'y']
    """
    taken: dict[str, None] = dict.fromkeys(RESERVED)
    last: dict[str, int] = {}  # the last number of each name
    for path in files:
        first = name = track_name_of(path)
        while name in taken:
            last[first] = last.get(first, 1) + 1
            name = f"{first} {last[first]}"
        taken[name] = None
    return list(taken)[len(RESERVED) :]
