"""LightningDataModule of log-mel excerpts of any corpus, for training and evaluation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Literal

import pytorch_lightning as pl
import torch
from pydantic import AfterValidator
from rich.progress import track as progress
from torch import Tensor
from torch.utils.data import DataLoader

from svdx.audio.logmel import FrontEnd
from svdx.corpora.corpus import SPLITS, Corpus
from svdx.corpora.track import Track
from svdx.data.augment import Augment
from svdx.data.batches import Batches
from svdx.data.cache import MelStore, statistics
from svdx.data.excerpts import Excerpts, Index, ResidentExcerpts, Sampling, every, sample
from svdx.errors import ConfigError, CorpusError
from svdx.schema.checks import checked
from svdx.schema.types import NonNegativeInt, PositiveInt


def _splits(text: str) -> str:
    if not set(text.split("+")) <= set(SPLITS):
        raise ValueError(f"{', '.join(SPLITS)}, or several as valid+test")
    return text


Splits = Annotated[str, AfterValidator(_splits)]


@checked
class ExcerptsData(pl.LightningDataModule):
    """Batches of excerpts as described in `Excerpts`. Log-mels are not standardised.

    corpus: tracks in splits
    store: cache of their log-mels
    batch_size: of all processes together; training drops the last incomplete batch
    hop, valid_hop: distance of training and validation excerpts, in frames
    augment: from a front end to the augmentation of training excerpts (None: no augmentation)
    features: cached (computed once by `cache_features`) or live (the model computes them in each step)
    split: what to test: train, valid, test, or several as "valid+test"
    sampling, n, seed, test_hop: selection of the tested excerpts, see `svdx.data.excerpts.sample`
    both_classes: refuse a split whose excerpts are all of one class
    """

    def __init__(
        self,
        corpus: Corpus,
        store: MelStore,
        batch_size: PositiveInt = 32,
        hop: PositiveInt = 10,
        valid_hop: PositiveInt = 10,
        augment: Callable[[FrontEnd], Augment] | None = None,
        features: Literal["cached", "live"] = "live",
        split: Splits = "test",
        sampling: Sampling = "all",
        n: PositiveInt = 3000,
        seed: NonNegativeInt = 0,
        test_hop: PositiveInt = 10,
        both_classes: bool = False,
    ) -> None:
        super().__init__()
        self.corpus, self.store = corpus, store
        self.augment = augment and augment(store.frontend)
        self.batch_size, self.hop, self.valid_hop = batch_size, hop, valid_hop
        self.features, self.split, self.both_classes = features, split, both_classes
        self.sample = partial(
            sample, frame_rate=store.frontend.frame_rate, sampling=sampling, n=n, seed=seed, hop=test_hop
        )

    def setup(self, stage: str) -> None:
        if stage == "fit":
            window = self.augment.window if self.augment else None
            samples = self.augment is not None
            self.train_tracks = self._prepare("train", samples)
            self.train_set = self._excerpts("train", self.train_tracks, partial(every, hop=self.hop), window, samples)
            if len(self.train_set) < self.batch_size:
                problem = f"{len(self.train_set)} training excerpts are less than a batch of {self.batch_size}"
                raise CorpusError(f"{self.corpus.root}: {problem}; add music, or lower batch_size or hop")
            self.valid_set = self._excerpts("valid", self._prepare("valid"), partial(every, hop=self.valid_hop))
        if stage == "test":
            self.test_set = self._excerpts(self.split, self._prepare(self.split), self.sample)

    def _prepare(self, split: str, samples: bool = False) -> list[Track]:
        return self.store.prepare([track for name in split.split("+") for track in self.corpus.split(name)], samples)

    def _excerpts(
        self,
        split: str,
        tracks: list[Track],
        index: Callable[[list[int]], Index],
        window: int | None = None,
        samples: bool = False,
    ) -> Excerpts:
        window = window or self.store.frontend.excerpt_frames
        tracks = self.store.long_enough(tracks, window)
        lengths = [len(self.store.logmel(track)) - window + 1 for track in tracks]
        excerpts = Excerpts(self.store, tracks, index(lengths), window, samples)
        if not len(excerpts):
            raise CorpusError(f"{self.corpus.root}: split {split!r} gives no excerpt; use longer audio")
        if self.both_classes and excerpts.vocal.all() | ~excerpts.vocal.any():
            only = "vocal" if excerpts.vocal.all() else "non-vocal"
            raise CorpusError(f"{self.corpus.root}: split {split!r} has {only} excerpts only; both classes are needed")
        return excerpts

    def standardisation(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the training tracks' bands, see `svdx.data.cache.statistics`."""
        return statistics(self.store.logmel(track) for track in self.train_tracks)

    def cache_features(self, features_at: Callable[[Tensor, Tensor], Tensor], device: torch.device) -> None:
        """Compute the features of all training and validation excerpts, unless features=live.

        features_at: log-mel of a track [T, bands] and first frames of excerpts [N] → features [N, n_features]
        """
        if self.features == "live":
            return
        for excerpts, name in ((self.train_set, "training"), (self.valid_set, "validation")):
            excerpts.features = None
            numbers = [(excerpts.track_of == number).nonzero()[0] for number in range(len(excerpts.tracks))]
            tracks = list(zip(excerpts.tracks, numbers))
            for track, mine in progress(tracks, f"features of {len(excerpts)} {name} excerpts"):
                logmel, starts = torch.tensor(self.store.logmel(track)), torch.from_numpy(excerpts.start_of[mine])
                features = features_at(logmel.to(device), starts).cpu()
                if excerpts.features is None:
                    excerpts.features = features.new_empty(len(excerpts), features.shape[1])
                excerpts.features[mine] = features

    def _loader(self, excerpts: Excerpts, **options) -> DataLoader:
        """A loader of complete batches that processes share without the padding of Lightning's samplers.

        Raises: ConfigError if there are fewer excerpts than processes, since Lightning needs a batch for each.
        """
        n, trainer = len(excerpts), self.trainer
        if trainer and trainer.world_size > 1:
            if n < trainer.world_size:
                raise ConfigError(f"{n} excerpts for {trainer.world_size} devices: use fewer devices")
            options |= dict(rank=trainer.global_rank, world=trainer.world_size)
        device = trainer.strategy.root_device if trainer else torch.device("cpu")
        resident = ResidentExcerpts.fits(excerpts, device)
        dataset = ResidentExcerpts(excerpts, device) if resident else excerpts
        generator = torch.Generator()  # otherwise every epoch draws from the global one, which a resumed run does not
        return DataLoader(dataset, batch_size=None, sampler=Batches(n, self.batch_size, **options), generator=generator)

    def train_dataloader(self) -> DataLoader:
        return self._loader(self.train_set, train=True, seed=torch.initial_seed())

    def val_dataloader(self) -> DataLoader:
        return self._loader(self.valid_set)

    def test_dataloader(self) -> DataLoader:
        return self._loader(self.test_set)

    def on_after_batch_transfer(self, batch: dict[str, Tensor], dataloader_idx: int) -> dict[str, Tensor]:
        if self.augment is not None and "samples" in batch:
            self.augment.to(batch["samples"].device)
            batch["logmel"], batch["vocal"] = self.augment(batch.pop("samples"), batch["vocal"])
        return batch
