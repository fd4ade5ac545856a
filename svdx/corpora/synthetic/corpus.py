"""The embedded corpus: music with singing, made on first use, the same for the same seed."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
from rich.progress import track as progress

from svdx.corpora.corpus import SPLITS
from svdx.corpora.folder import Folder
from svdx.corpora.labels import write_lab
from svdx.corpora.synthetic.song import Song, compose
from svdx.corpora.track import Segment
from svdx.errors import CACHE, CorpusError, writing
from svdx.files.atomic import process_lock

GENERATOR = 2  # raised whenever the same seed would sound different
SHORTEST = 4.0  # seconds of a track
SLOWEST = 16_000  # Hz: the front end hears up to 8 kHz
CARD = "corpus.json"


@dataclass(frozen=True)
class Recipe:
    """All that a synthetic corpus depends on; seconds is the length of every track."""

    n_train: int
    n_valid: int
    n_test: int
    seconds: float
    seed: int
    sample_rate: int
    generator: int = GENERATOR

    def __post_init__(self) -> None:
        least = {"n_train": 1, "n_valid": 1, "n_test": 1, "seconds": SHORTEST, "seed": 0, "sample_rate": SLOWEST}
        for key, value in least.items():
            if not getattr(self, key) >= value:
                raise CorpusError(f"data.{key}={getattr(self, key)}: the synthetic corpus needs at least {value:g}")

    def tracks(self) -> Iterator[tuple[str, int]]:
        """(split, number within the split) of every track."""
        for split, count in zip(SPLITS, (self.n_train, self.n_valid, self.n_test), strict=True):
            yield from ((split, number) for number in range(count))


class Synthetic(Folder):
    """Synthesised music with singing in a `Folder`, with `vocals/`; made under `root` when it is first asked for.

    Track k of a split depends on the seed, the split and k alone, so a larger corpus begins with the smaller one.
    """

    name = "synthetic"
    contents = "the synthetic corpus, or nothing yet"

    def __init__(
        self,
        root: str | Path | None,
        n_train: int,
        n_valid: int,
        n_test: int,
        seconds: float,
        seed: int,
        sample_rate: int,
        workers: int = 2,
    ) -> None:
        if root:
            self.recipe = Recipe(n_train, n_valid, n_test, float(seconds), seed, sample_rate)
            make_corpus(Path(str(root)).expanduser(), self.recipe, workers)
        super().__init__(root)

    @property
    def key(self) -> str:
        """The same wherever the corpus lies: it depends on its recipe alone."""
        recipe = hashlib.sha256(repr(self.recipe).encode()).hexdigest()[:6]
        return f"{self.name}-{self.root.name}-{recipe}"


def make_corpus(root: Path, recipe: Recipe, workers: int = 1) -> None:
    """Makes the corpus at `root` unless it is there: in a directory beside it, which takes its name when it is whole.

    A process that makes the same corpus meanwhile is waited for. Raises CorpusError if `root` holds anything else.
    """
    if _is_made(root, recipe):
        return
    with writing(f"data.root={root}", f"give another, or {CACHE}"), process_lock(root.with_name(f".{root.name}.lock")):
        if _is_made(root, recipe):
            return
        with _scratch(root) as folder:
            for name in ("audio", "labels", "filelists", "vocals"):
                (folder / name).mkdir(parents=True)
            _make_tracks(folder, recipe, workers)
            for split in SPLITS:
                names = [f"{track_name(split, number)}.flac\n" for owner, number in recipe.tracks() if owner == split]
                (folder / "filelists" / split).write_text("".join(names), encoding="utf-8")
            (folder / CARD).write_text(json.dumps(asdict(recipe), indent=2) + "\n", encoding="utf-8")
            folder.rename(root)


def track_name(split: str, number: int) -> str:
    """
    >>> track_name("train", 7)
    'train_0007'
    """
    return f"{split}_{number:04d}"


def make_song(recipe: Recipe, split: str, number: int) -> Song:
    """One track, the same whatever the size of the corpus and whoever makes it."""
    rng = np.random.default_rng([recipe.seed, SPLITS.index(split), number])
    return compose(rng, recipe.seconds, recipe.sample_rate)


def _is_made(root: Path, recipe: Recipe) -> bool:
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        found = json.loads((root / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorpusError(f"{root} holds no synthetic corpus: give another data.root, or remove it") from error
    if found != asdict(recipe):
        odd = {key: value for key, value in asdict(recipe).items() if found.get(key) != value}
        wanted = ", ".join(f"{key}={value} (there: {found.get(key)})" for key, value in odd.items())
        raise CorpusError(
            f"{root} holds a synthetic corpus of other settings, asked for are {wanted or 'fewer'}: remove it"
        )
    return True


@contextmanager
def _scratch(root: Path) -> Iterator[Path]:
    """A directory beside root to work in, new and empty; whatever is left of it at the end is removed."""
    folder = root.with_name(f".{root.name}.partial")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _make_tracks(folder: Path, recipe: Recipe, workers: int) -> None:
    tracks = list(recipe.tracks())
    make = partial(_make_track, folder, recipe)
    bar = partial(progress, description=f"synthetic corpus of {len(tracks)} tracks", total=len(tracks))
    if workers <= 1:
        list(bar(map(make, tracks)))
        return
    with ProcessPoolExecutor(min(workers, len(tracks)), multiprocessing.get_context("spawn")) as pool:
        list(bar(pool.map(make, tracks, chunksize=2)))


def _make_track(folder: Path, recipe: Recipe, track: tuple[str, int]) -> None:
    song, name = make_song(recipe, *track), track_name(*track)
    for part, samples in (("audio", song.audio), ("vocals", song.vocals)):
        soundfile.write(folder / part / f"{name}.flac", samples, recipe.sample_rate, subtype="PCM_16")
    write_lab(folder / "labels" / f"{name}.lab", _segments(song, recipe.seconds))


def _segments(song: Song, seconds: float) -> list[Segment]:
    """The whole track, singing and not in turn, to the millisecond."""
    edges = [0.0, *(round(edge, 3) for phrase in song.singing for edge in phrase), seconds]
    return [Segment(start, end, bool(i % 2)) for i, (start, end) in enumerate(pairwise(edges)) if end > start]
