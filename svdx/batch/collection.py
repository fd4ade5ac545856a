"""Many tracks: a directory with a page for each of them, and a page that leads there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from svdx.batch.finished import ASIDE, appearing, facts_of, forget_unfinished, is_finished, sign
from svdx.batch.job import DONE, FAILED, REFUSED, THERE, Engine, Outcome
from svdx.batch.request import Request
from svdx.corpora.loose_files import track_at, track_name_of
from svdx.errors import AudioError, ConfigError, CorpusError, ScoreError
from svdx.files.atomic import atomic_write
from svdx.report.page import index_page

TAKEN = ("index.html", ASIDE, ".hydra", "explain.log", "config.yaml", "summary.json")  # beside the tracks' directories


@dataclass
class Each:
    """The job of an engine: explain an audio file in a directory of its own, unless that has been done.

    directory: with all of them; threads: of torch, on which the last bits of a result depend
    """

    request: Request
    directory: Path
    threads: int = 1

    def to(self, device: torch.device | str) -> Each:
        self.request.to(device)
        return self

    def __call__(self, file: str, name: str) -> Outcome:
        torch.set_num_threads(self.threads)
        place = self.directory / name
        try:
            track = track_at(Path(file))
            question = self.request.question(track)
            if is_finished(place, question):
                return Outcome(THERE)
            with appearing(place) as unfinished:
                sign(unfinished, question, self.request(track, unfinished))
        except (AudioError, CorpusError, ScoreError) as error:
            return Outcome(FAILED, str(error))
        except ConfigError as error:
            return Outcome(REFUSED, str(error))
        return Outcome(DONE)


@dataclass
class Collection:
    """What became of many tracks.

    done: facts by the name of the directory; failed: why, by file; before: how many of the former were there before
    """

    done: dict[str, dict[str, str]]
    failed: dict[str, str]
    before: int


def document_collection(title: str, files: Sequence[Path], job: Each, engine: Engine) -> Collection | None:
    """Explain every audio file in a directory of its own below the job's, and write index.html.

    Returns: None in a process that only helped. Raises: AudioError if all files fail, ConfigError.
    """
    named = names(files)
    outcomes = engine(job, [(str(file), name) for file, name in zip(files, named, strict=True)])
    if outcomes is None:
        return None
    forget_unfinished(job.directory)
    failed = {str(file): outcome.reason for file, outcome in zip(files, outcomes) if outcome.state == FAILED}
    if len(failed) == len(files):
        raise AudioError(f"none of {len(files)} tracks could be explained; the first: {outcomes[0].reason}")
    done = [name for name, outcome in zip(named, outcomes) if outcome.state != FAILED]
    before = sum(outcome.state == THERE for outcome in outcomes)
    found = Collection({name: _facts(job.directory / name) for name in done}, failed, before)
    page = index_page(f"{title}: {len(done)} of {len(files)} tracks", found.done, failed)
    with atomic_write(job.directory / "index.html") as unfinished:
        unfinished.write_text(page, encoding="utf-8")
    return found


def _facts(place: Path) -> dict[str, str]:
    try:
        return facts_of(place)
    except OSError as error:
        shared = "the machines that work together need one hydra.run.dir, on a disk that they share"
        raise ConfigError(f"{place}: written elsewhere, not here; {shared}") from error


def names(files: Sequence[Path]) -> list[str]:
    """A name for each file's track, with a number where an earlier one has that name.

    >>> names([Path("a/x.wav"), Path("b/x.mp3"), Path("y.wav")])
    ['x', 'x 2', 'y']
    """
    given: dict[str, None] = dict.fromkeys(TAKEN)
    last: dict[str, int] = {}  # number that was given with a name
    for path in files:
        first = name = track_name_of(path)
        while name in given:
            last[first] = last.get(first, 1) + 1
            name = f"{first} {last[first]}"
        given[name] = None
    return list(given)[len(TAKEN) :]
