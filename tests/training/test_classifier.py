"""Training of SVDNet: its targets, its decision threshold, and what it leaves in the checkpoint."""

import math
from functools import partial

import pytest
import pytorch_lightning as pl
import torch

from svdx.data.datamodule import ExcerptsData
from svdx.models import SVDNet, load_classifier
from svdx.models.weights import describe, fingerprint
from svdx.training.classifier import Detector, best_threshold
from tests.support.processes import on_two, quiet_trainer


def make_detector(network):
    optimizer = partial(torch.optim.SGD, lr=0.01, momentum=0.95, nesterov=True)
    scheduler = partial(torch.optim.lr_scheduler.ExponentialLR, gamma=0.85)
    return Detector(network, optimizer, scheduler, interval="epoch", softening=0.02)


class Recorder(pl.Callback):
    """Learning rate after every epoch, and the loss without dropout before and after the fit."""

    def __init__(self):
        self.losses, self.rates = [], []

    def on_train_start(self, trainer, detector):
        self.losses.append(loss_of(detector.network, trainer.train_dataloader))
        detector.train()

    def on_train_epoch_end(self, trainer, detector):
        self.rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    def on_train_end(self, trainer, detector):
        self.losses.append(loss_of(detector.network, trainer.train_dataloader))


@torch.no_grad()
def listen(network, batches):
    network.eval()
    heard = [(network(network.standardise(batch["logmel"])), batch["vocal"]) for batch in batches]
    return tuple(torch.cat(parts) for parts in zip(*heard, strict=True))


def loss_of(network, batches):
    probabilities, vocal = listen(network, batches)
    return torch.nn.functional.binary_cross_entropy(probabilities, vocal.float()).item()


EPOCHS = 10


@pytest.fixture(scope="module")
def fitted(tiny_corpus, tiny_store, tmp_path_factory):
    """A detector after ten epochs of two batches: the detector, its data, its checkpoint, and what was recorded."""
    torch.manual_seed(0)
    data = ExcerptsData(tiny_corpus, tiny_store, batch_size=4, hop=54, valid_hop=20, both_classes=True)
    detector, recorder = make_detector(SVDNet()), Recorder()
    quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=EPOCHS,
        check_val_every_n_epoch=EPOCHS,
        num_sanity_val_steps=0,
        callbacks=[recorder],
        **quiet,
    )
    trainer.fit(detector, data)
    path = tmp_path_factory.mktemp("detector") / "last.ckpt"
    trainer.save_checkpoint(path)
    return detector, data, path, recorder


@pytest.mark.parametrize(
    ("probabilities", "vocal", "threshold"),
    [
        ([0.205, 0.405, 0.605, 0.805], [0, 0, 1, 1], 0.51),  # 0.41 to 0.60 are perfect, twenty of them
        ([0.25, 0.255], [0, 1], 0.25),  # 0.25 is not strictly above 0.25
        ([0.655, 0.665, 0.995], [0, 1, 1], 0.66),
        ([0.105, 0.805], [1, 1], 0.05),  # 0.00 to 0.10: all sing
        ([0.105, 0.895], [0, 0], 0.95),  # 0.90 to 1.00: nobody sings
        ([0.305, 0.315, 0.325, 0.605], [0, 1, 0, 1], 0.46),  # one error is the least: at 0.31, and 0.33 to 0.60
    ],
)
def test_the_threshold_is_the_middle_one_of_greatest_accuracy(probabilities, vocal, threshold):
    assert best_threshold(torch.tensor(probabilities), torch.tensor(vocal).bool()) == threshold


def test_targets_are_softened(classifier, monkeypatch):
    detector = make_detector(classifier)
    monkeypatch.setattr(detector, "log", lambda *values, **options: None)
    classifier.fc9.weight.zero_()
    classifier.fc9.bias.fill_(math.log(3))  # a probability of 0.75, whatever the input
    vocal = torch.tensor([True, True, True, False])
    loss = detector.training_step({"logmel": torch.randn(4, 115, 80), "vocal": vocal})
    yes, no = -math.log(0.75), -math.log(0.25)
    by_hand = (3 * (0.98 * yes + 0.02 * no) + (0.02 * yes + 0.98 * no)) / 4
    assert loss.item() == pytest.approx(by_hand, rel=1e-5)


def test_training_lowers_the_loss(fitted):
    before, after = fitted[-1].losses
    assert after < before - 0.05


def test_the_learning_rate_decays_each_epoch(fitted):
    assert fitted[-1].rates == pytest.approx([0.01 * 0.85**epoch for epoch in range(1, EPOCHS + 1)])


def test_one_cycle_spans_the_whole_training(tiny_corpus, tiny_store, make_trainer):
    rates = []

    class Rates(pl.Callback):
        def on_train_batch_start(self, trainer, *_):
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    scheduler = partial(torch.optim.lr_scheduler.OneCycleLR, max_lr=0.01, pct_start=0.5, cycle_momentum=False)
    detector = Detector(SVDNet(), torch.optim.Adam, scheduler, interval="step", softening=0.02)
    data = ExcerptsData(tiny_corpus, tiny_store, batch_size=4, hop=54, valid_hop=200)
    make_trainer(max_epochs=2, limit_val_batches=0, callbacks=[Rates()]).fit(detector, data)
    first, second, third, last = rates  # two epochs of two batches: up to the middle, and down again
    assert first == pytest.approx(0.01 / 25) and last == pytest.approx(first / 1e4)
    assert second == pytest.approx(0.01) and last < third < second


def test_standardisation_is_that_of_the_training_split(fitted):
    detector, data, *_ = fitted
    mean, std = data.standardisation()
    assert torch.equal(detector.network.mean, mean)
    assert torch.equal(detector.network.std, std)


def test_the_threshold_is_tuned_on_the_validation_split(fitted):
    detector, data, *_ = fitted
    probabilities, vocal = listen(detector.network, data.val_dataloader())
    assert detector.network.threshold.item() == pytest.approx(best_threshold(probabilities, vocal))


def test_the_checkpoint_gives_back_the_network(fitted):
    detector, _, path, _ = fitted
    checkpoint = torch.load(path, weights_only=True)
    assert checkpoint["svdx"] == describe(detector.network) == {"network": "svdnet", "frames": "115", "bands": "80"}
    loaded = load_classifier(path)
    for name, value in detector.network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    assert fingerprint(loaded) == fingerprint(detector.network)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())


def test_scores_of_the_test_split_are_those_at_the_stored_threshold(classifier, tiny_corpus, tiny_store, make_trainer):
    data = ExcerptsData(tiny_corpus, tiny_store, batch_size=4, test_hop=10)
    data.setup("test")
    probabilities, vocal = listen(classifier, data.test_dataloader())
    classifier.threshold.copy_(probabilities.sort().values[len(probabilities) // 3])  # a third is called non-vocal
    said = probabilities > classifier.threshold
    [scores] = make_trainer().test(make_detector(classifier), data, verbose=False)
    assert 0 < said.sum() < len(said)
    assert scores["test/accuracy"] == pytest.approx((said == vocal).float().mean().item())
    assert scores["test/precision"] == pytest.approx((said & vocal).sum().item() / said.sum().item())
    assert scores["test/recall"] == pytest.approx((said & vocal).sum().item() / vocal.sum().item())
    assert scores["test/specificity"] == pytest.approx((~said & ~vocal).sum().item() / (~vocal).sum().item())
    ranks = (probabilities[vocal][:, None] > probabilities[~vocal]).float()
    assert scores["test/auroc"] == pytest.approx(ranks.mean().item(), abs=1e-3)
    assert scores["test/vocal_share"] == pytest.approx(vocal.float().mean().item())


def test_two_processes_train_what_one_trains(tiny_corpus, tiny_store, tmp_path, monkeypatch):
    monkeypatch.setattr("torch.nn.functional.dropout", lambda x, *_: x)  # of which each process has its own
    data = ExcerptsData(tiny_corpus, tiny_store, batch_size=4, hop=54, valid_hop=20, both_classes=True)

    def results(rank=None):
        torch.manual_seed(0)
        detector, trainer = make_detector(SVDNet()), quiet_trainer(rank, max_epochs=2)
        trainer.fit(detector, data)
        return {**detector.network.state_dict(), **trainer.callback_metrics}

    alone = results()
    assert {"train/loss", "valid/auroc"} <= set(alone)
    for both in on_two(results, tmp_path):
        torch.testing.assert_close(both, alone, atol=1e-5, rtol=1e-4)
