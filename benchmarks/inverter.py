"""An update of the inverter: cached features against live ones, and Lightning against a bare loop."""

from __future__ import annotations

import copy
import time
from functools import partial

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.functional import mse_loss
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.utils.data import DataLoader, Dataset

from benchmarks.row import Row, arithmetic_rate, milliseconds
from svdx.data.batches import Batches
from svdx.models import SVDNet, UpConv
from svdx.training.inverter import Inverter

BATCH, UPDATES, LIVE = 32, 60, 12
OPERATIONS = 3 * 0.0024e9 * BATCH  # of the forward passes, and twice as many of the backward passes


class Excerpts(Dataset):
    """Noise, with or without cached features."""

    def __init__(self, n: int, features: bool) -> None:
        self.logmel, self.features = torch.randn(n, 115, 80), torch.randn(n, 64) if features else None

    def __getitem__(self, numbers: Tensor) -> dict[str, Tensor]:
        cached = {} if self.features is None else {"features": self.features[numbers]}
        return {"logmel": self.logmel[numbers], **cached}


class Data(pl.LightningDataModule):
    def __init__(self, n: int, features: bool) -> None:
        super().__init__()
        self.excerpts = Excerpts(n, features)

    def cache_features(self, features_at, device) -> None:
        """They are in the data set, or computed in every update."""

    def train_dataloader(self) -> DataLoader:
        return DataLoader(self.excerpts, batch_size=None, sampler=Batches(len(self.excerpts.logmel), BATCH, train=True))


class Clock(pl.Callback):
    """The time between the first and the last batch of the second epoch."""

    def on_train_batch_start(self, trainer, *_) -> None:
        if trainer.current_epoch == 1 and not hasattr(self, "start"):
            self.start = time.perf_counter()

    def on_train_batch_end(self, *_) -> None:
        self.end = time.perf_counter()


def through_lightning(network: UpConv, features: bool, updates: int) -> float:
    """Seconds per update in the second epoch."""
    system = Inverter(
        network, SVDNet(), partial(torch.optim.Adam, lr=1e-3, fused=True), partial(ReduceLROnPlateau, patience=1), 1e-4
    )
    clock = Clock()
    trainer = pl.Trainer(
        accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, callbacks=[clock], use_distributed_sampler=False,
    )  # fmt: skip
    trainer.fit(system, datamodule=Data(updates * BATCH, features))
    return (clock.end - clock.start) / updates


def bare_loop(network: UpConv, updates: int) -> float:
    """Seconds per update with the same loss on tensors in memory."""
    network, optimizer = network.train(), torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    features, excerpts = torch.randn(updates * BATCH, 64), torch.randn(updates * BATCH, 115, 80)
    for first in range(0, updates * BATCH, BATCH):
        if first == 5 * BATCH:  # warm by now
            start = time.perf_counter()
        optimizer.zero_grad()
        cost = mse_loss(network(features[first : first + BATCH]), excerpts[first : first + BATCH])
        (cost + 1e-4 * network.l2()).backward()
        optimizer.step()
    return (time.perf_counter() - start) / (updates - 5)


def rows() -> list[Row]:
    torch.manual_seed(0)
    network, limit = UpConv(16), OPERATIONS / arithmetic_rate()
    fresh = partial(copy.deepcopy, network)
    timed = [
        (
            bare_loop(fresh(), UPDATES),
            through_lightning(fresh(), True, UPDATES),
            through_lightning(fresh(), False, LIVE),
        )
        for _ in range(3)
    ]
    bare, cached, live = map(min, zip(*timed))
    return [
        Row("inverter, one update with batch size 32, FC8 cached; baseline: SVDNet in every update",
            milliseconds(cached), milliseconds(live), live / cached, "at least 6"),
        Row("the same through Lightning; baseline: a bare loop", milliseconds(cached), milliseconds(bare),
            cached / bare, "at most 1.3", f"{bare / limit:.0f} times"),
    ]  # fmt: skip
