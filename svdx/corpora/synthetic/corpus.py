"""The embedded corpus of synthesised music with singing, generated on first use from a seed."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import numpy as np
import soundfile
from pydantic import Field
from rich.progress import track as progress

from svdx.corpora.corpus import SPLITS
from svdx.corpora.folder import Folder
from svdx.corpora.labels import write_lab
from svdx.corpora.synthetic.song import Song, compose
from svdx.corpora.track import Segment
from svdx.errors import CACHE, CorpusError, writing
from svdx.files.atomic import process_lock, scratch_directory
from svdx.schema.checks import checked
from svdx.schema.types import AnyPath, PositiveInt, Seed

GENERATOR = 2  # version; increase it if the same seed gives other audio
Seconds = Annotated[float, Field(ge=4)]  # of a track
SampleRate = Annotated[int, Field(ge=16_000)]  # Hz, since the front end's bands extend to 8 kHz
CARD = "corpus.json"


@checked
@dataclass(frozen=True)
class Recipe:
    """All parameters of a synthetic corpus. seconds: length of every track"""

    n_train: PositiveInt
    n_valid: PositiveInt
    n_test: PositiveInt
    seconds: Seconds
    seed: Seed
    sample_rate: SampleRate
    generator: int = GENERATOR

    def tracks(self) -> Iterator[tuple[str, int]]:
        """(split, index within the split) of every track."""
        for split, count in zip(SPLITS, (self.n_train, self.n_valid, self.n_test), strict=True):
            yield from ((split, number) for number in range(count))


@checked
class Synthetic(Folder):
    """Synthesised music with singing in the layout of `Folder`, including `vocals/`; generated in `root` if missing.

    Track k of a split depends only on the seed, the split and k, so that a larger corpus extends a smaller one.

    n_train, n_valid, n_test: number of tracks
    seconds: length of every track
    workers: number of processes
    """

    name = "synthetic"
    contents = "the synthetic corpus, or nothing yet"

    def __init__(
        self,
        root: AnyPath | None,
        n_train: PositiveInt,
        n_valid: PositiveInt,
        n_test: PositiveInt,
        seconds: Seconds,
        seed: Seed,
        sample_rate: SampleRate,
        workers: PositiveInt = 2,
    ) -> None:
        if root:
            self.recipe = Recipe(n_train, n_valid, n_test, float(seconds), seed, sample_rate)
            make_corpus(Path(str(root)).expanduser(), self.recipe, workers)
        super().__init__(root)

    @property
    def key(self) -> str:
        """As in `Corpus`, but independent of the location, since the recipe determines the content."""
        recipe = hashlib.sha256(repr(self.recipe).encode()).hexdigest()[:6]
        return f"{self.name}-{self.root.name}-{recipe}"


def make_corpus(root: Path, recipe: Recipe, workers: int = 1) -> None:
    """Generate the corpus in `root` unless it exists: in a temporary directory that is renamed at the end.

    Waits for another process that generates the same corpus. Raises: CorpusError if `root` holds anything else.
    """
    if _exists(root, recipe):
        return
    with writing(f"data.root={root}", f"give another, or {CACHE}"), process_lock(root.with_name(f".{root.name}.lock")):
        if _exists(root, recipe):
            return
        with scratch_directory(root.with_name(f".{root.name}.partial")) as folder:
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
    """One track, independent of the size of the corpus."""
    rng = np.random.default_rng([recipe.seed, SPLITS.index(split), number])
    return compose(rng, recipe.seconds, recipe.sample_rate)


def _exists(root: Path, recipe: Recipe) -> bool:
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    try:
        card = json.loads((root / CARD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CorpusError(
            f"{root} holds no synthetic corpus: give another data.root, or remove the directory"
        ) from error
    if card != asdict(recipe):
        different = {key: value for key, value in asdict(recipe).items() if card.get(key) != value}
        wanted = ", ".join(f"{key}={value} (there: {card.get(key)})" for key, value in different.items())
        raise CorpusError(
            f"{root} holds a synthetic corpus with other settings, expected {wanted or 'fewer'}: remove the directory"
        )
    return True


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
    """Alternating vocal and non-vocal segments over all of the track, rounded to milliseconds."""
    edges = [0.0, *(round(edge, 3) for phrase in song.singing for edge in phrase), seconds]
    return [Segment(start, end, bool(i % 2)) for i, (start, end) in enumerate(pairwise(edges)) if end > start]
