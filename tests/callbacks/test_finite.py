"""A loss that is no number ends the training, with what is needed to find out why, and nothing saved is spoiled."""

from functools import partial

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch.optim.lr_scheduler import ReduceLROnPlateau

from svdx.callbacks import StopWhenNotFinite
from svdx.data.batches import Batches
from svdx.data.cache import MelStore
from svdx.data.datamodule import ExcerptsData
from svdx.errors import TrainingError
from svdx.models import SVDNet, UpConv
from svdx.training.checkpoints import LAST, Checkpoints
from svdx.training.classifier import Detector
from svdx.training.inverter import Inverter
from tests.support.processes import on_two, quiet_trainer

BATCH = 2


@pytest.fixture
def data(tiny_corpus, tmp_path, frontend):
    """Eight training excerpts of two tracks, in log-mels of one's own."""
    return ExcerptsData(tiny_corpus, MelStore(tmp_path / "mels", frontend, 1), batch_size=BATCH, hop=50, valid_hop=80)


def spoil(data, value):
    """Put a value into the last frame of the first training track; gives the number of the excerpt that ends there."""
    data.setup("fit")
    frames = np.lib.format.open_memmap(data.store.logmel(data.train_tracks[0]).filename, mode="r+")
    last = data.train_set.start_of[data.train_set.track_of == 0].max()
    frames[last + 114, 40] = value
    frames.flush()
    (heard,) = np.flatnonzero((data.train_set.track_of == 0) & (data.train_set.start_of == last))
    return heard


def batches(data, epoch=0):
    """Number of each excerpt in the epoch's batches."""
    sampler = Batches(len(data.train_set), BATCH, train=True, seed=torch.initial_seed())
    sampler.set_epoch(epoch)
    return [batch.tolist() for batch in sampler]


def inverter(classifier, rate=1e-3, kind=Inverter):
    return kind(UpConv(8), classifier, partial(torch.optim.Adam, lr=rate), ReduceLROnPlateau, l2=1e-4)


def names_in(data, batch):
    names = {data.train_set.tracks[data.train_set.track_of[number]].name for number in batch}
    return ", ".join(repr(name) for name in sorted(names))


@pytest.fixture
def fit(tmp_path, data, make_trainer):
    """`fit(system, *callbacks, resume=False, **options)`: trains as the pipeline does."""

    def run(system, *callbacks, resume=False, **options):
        keep = ModelCheckpoint(tmp_path, "last", enable_version_counter=False, save_on_train_epoch_end=True)
        both = dict(callbacks=[StopWhenNotFinite(), *callbacks, keep], plugins=[Checkpoints()])
        as_there = dict(enable_checkpointing=True, use_distributed_sampler=False, limit_val_batches=0)
        trainer = make_trainer(**both, **as_there, **options)
        trainer.fit(system, datamodule=data, ckpt_path=tmp_path / LAST if resume else None, weights_only=True)

    return run


@pytest.mark.parametrize("value, loss", [(float("inf"), "nan"), (float("nan"), "nan"), (1e25, "inf")])
def test_a_corrupt_excerpt_ends_the_training_with_update_loss_and_tracks(data, classifier, fit, tmp_path, value, loss):
    fit(inverter(classifier), max_epochs=1)
    before = (tmp_path / LAST).read_bytes()
    heard, system = spoil(data, value), inverter(classifier)
    with pytest.raises(TrainingError) as error:
        fit(system, resume=True, max_epochs=2)
    at, batch = next((at, batch) for at, batch in enumerate(batches(data, epoch=1)) if heard in batch)
    update, line = len(batches(data)) + at + 1, str(error.value)
    assert line.startswith(f"update {update} has the loss {loss}, at learning rate 0.001, with excerpts of ")
    assert f" {names_in(data, batch)}: " in line and "\n" not in line
    assert (tmp_path / LAST).read_bytes() == before
    assert all(weight.isfinite().all() for weight in system.network.parameters())  # that update was not made


def test_an_absurd_learning_rate_is_named(data, classifier, fit, tmp_path):
    with pytest.raises(TrainingError, match=r"^update 2 has the loss (nan|inf), at learning rate 1e\+30, with"):
        fit(inverter(classifier, 1e30), max_epochs=1)
    assert not (tmp_path / LAST).exists()


def test_weights_that_are_not_finite_are_not_saved(data, classifier, fit, tmp_path):
    with pytest.raises(TrainingError, match=r"^update 1 left weights that are not finite, at learning rate inf, with"):
        fit(inverter(classifier, float("inf")), max_epochs=1, limit_train_batches=1)
    assert not (tmp_path / LAST).exists()


class AsOnAGpu(pl.Callback):
    """Nobody looks before the training is saved, after the third update."""

    def __init__(self, checkpoint):
        self.checkpoint = checkpoint

    def on_train_start(self, trainer, system):
        trainer.callbacks[0].interval = 1000

    def on_train_batch_end(self, trainer, *_):
        if trainer.global_step == 3:
            trainer.save_checkpoint(self.checkpoint)


def test_unchecked_losses_are_checked_before_anything_is_saved(data, classifier, fit, tmp_path):
    early = tmp_path / "early.ckpt"
    with pytest.raises(TrainingError, match=r"^update 2 has the loss"):
        fit(inverter(classifier, 1e30), AsOnAGpu(early), max_epochs=1)
    assert not early.exists()


class LostInOneProcess(Inverter):
    """The other process hears nothing of it: the gradients stay finite."""

    def training_step(self, batch):
        lost = self.global_rank == 1 and self.global_step == 1
        return super().training_step(batch) + (float("inf") if lost else 0)


def test_each_of_two_processes_ends_and_names_the_batch_of_both(data, classifier, tmp_path):
    def told(rank):
        trainer = quiet_trainer(rank, max_epochs=1, callbacks=[StopWhenNotFinite()], limit_val_batches=0)
        with pytest.raises(TrainingError) as error:
            trainer.fit(inverter(classifier, kind=LostInOneProcess), datamodule=data)
        return str(error.value)

    lines = on_two(told, tmp_path)
    data.setup("fit")
    names = names_in(data, batches(data)[1])
    assert "," in names
    assert lines[0] == lines[1]
    assert lines[0].startswith("update 2 has the loss inf, at") and f"with excerpts of {names}: " in lines[0]


def test_the_classifiers_training_ends_too(data, fit, tmp_path):
    constant = partial(torch.optim.lr_scheduler.ExponentialLR, gamma=1)
    detector = Detector(SVDNet(), partial(torch.optim.SGD, lr=1e30), constant, interval="epoch", softening=0.02)
    with pytest.raises(TrainingError, match=r"^update 2 has the loss nan, at learning rate 1e\+30, with excerpts of"):
        fit(detector, max_epochs=1)
