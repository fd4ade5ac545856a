"""Training of the inverter: its cost, its schedules, the frozen classifier, and what is stored and resumed."""

import copy
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from svdx.data.datamodule import ExcerptsData
from svdx.models import UpConv, load_inverter
from svdx.models.weights import describe, fingerprint
from svdx.training.inverter import HalveWhenRepeated, Inverter
from tests.support.processes import on_two, quiet_trainer

SCHEDULES = Path(__file__).parent.parent.parent / "conf/inverter/schedule"


def schedule(name):
    return instantiate(OmegaConf.load(SCHEDULES / f"{name}.yaml"))


def make_inverter(classifier, scheduler="plateau", optimizer=torch.optim.Adam):
    return Inverter(UpConv(8), classifier, partial(optimizer, lr=1e-3), schedule(scheduler), l2=1e-4)


@pytest.fixture
def data(tiny_corpus, tiny_store):
    return ExcerptsData(tiny_corpus, tiny_store, batch_size=4, hop=40, valid_hop=80, features="cached")


def frozen(classifier):
    """No gradient anywhere, eval mode everywhere."""
    modules, parameters = list(classifier.modules()), list(classifier.parameters())
    return not any(m.training for m in modules) and not any(p.requires_grad or p.grad is not None for p in parameters)


class Watch(pl.Callback):
    """During the fit: is the classifier frozen, is the network in training, and what is the cost?"""

    def __init__(self):
        self.seen, self.costs = [], []

    def on_train_batch_end(self, trainer, inverter, *_):
        self.seen.append(frozen(inverter.classifier) and inverter.network.training)

    def on_train_epoch_end(self, trainer, inverter):
        self.costs.append(trainer.callback_metrics["train/cost"].item())


@pytest.mark.parametrize("features", ["cached", "live"])
def test_the_classifier_is_frozen_before_during_and_after_a_fit(classifier, data, make_trainer, features):
    before = copy.deepcopy(classifier.state_dict())
    data.features, watch = features, Watch()
    inverter = make_inverter(classifier.train().requires_grad_(True))
    weights = copy.deepcopy(inverter.network.state_dict())
    assert frozen(classifier)
    make_trainer(max_epochs=2, callbacks=[watch]).fit(inverter, data)
    assert watch.seen == [True] * 4
    assert frozen(classifier)
    inverter.train()
    assert frozen(classifier)
    assert inverter.network.training
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())
    assert not any(torch.equal(value, weights[name]) for name, value in inverter.network.state_dict().items())


def test_a_classifier_that_knows_excerpts_only_describes_a_track_too(classifier):
    class Other(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.features, self.standardise = classifier.features, classifier.standardise
            self.register_buffer("weight", torch.zeros(1))

    track, starts = torch.randn(200, 80), torch.tensor([0, 13, 85])
    expected = make_inverter(classifier).features_at(track, starts)
    torch.testing.assert_close(make_inverter(Other()).features_at(track, starts), expected, atol=1e-5, rtol=0)


def test_training_lowers_the_cost(classifier, data, make_trainer):
    watch = Watch()
    data.hop = 10
    make_trainer(max_epochs=4, callbacks=[watch]).fit(make_inverter(classifier), data)
    assert len(watch.costs) == 4
    assert watch.costs[-1] < 0.95 * watch.costs[0]


def test_only_the_network_is_optimised(classifier):
    inverter = make_inverter(classifier)
    optimised = inverter.configure_optimizers()["optimizer"].param_groups[0]["params"]
    assert {id(p) for p in optimised} == {id(p) for p in inverter.network.parameters()}


@pytest.mark.parametrize("known", [True, False], ids=["features known", "features computed"])
def test_the_cost_is_the_mean_squared_error_and_the_penalty(classifier, monkeypatch, known):
    logmel = torch.randn(3, 115, 80) - 4
    standardised = (logmel - classifier.mean) / classifier.std
    features = classifier.features(standardised)
    inverter = make_inverter(classifier)
    scores, trainer = {}, SimpleNamespace(is_last_batch=False, num_training_batches=2)
    monkeypatch.setattr(Inverter, "trainer", trainer)
    monkeypatch.setattr(inverter, "log_dict", lambda values, **options: scores.update(values))
    inverter.on_train_start()
    batch = {"logmel": logmel, "features": features} if known else {"logmel": logmel}
    cost = inverter.training_step(batch)
    assert not scores
    trainer.is_last_batch = True
    inverter.training_step(batch)  # the mean over two equal steps
    error = (inverter.network(features) - standardised).square().sum() / (3 * 115 * 80)
    named = inverter.network.named_parameters()
    weights = [parameter for name, parameter in named if name.endswith("weight")]  # of linear layers and norms: W and γ
    assert len(weights) == 11 + 10
    penalty = 1e-4 * sum(weight.square().sum() for weight in weights)
    torch.testing.assert_close(cost, error + penalty)
    torch.testing.assert_close(scores, {"train/mse": error.detach(), "train/cost": (error + penalty).detach()})


def rates(scheduler, costs):
    """Learning rate after each epoch, from 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler, found = scheduler(optimizer), []
    for cost in costs:
        scheduler.step(cost)
        found.append(optimizer.param_groups[0]["lr"])
    return found


def test_the_plateau_schedule_halves_after_two_epochs_without_change():
    costs = [1.0, 0.9, 0.895, 0.892, 0.891, 0.5, 0.6, 0.5, 0.495, 0.491, 0.48, 0.48]
    by_hand = [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125, 0.125]
    assert rates(schedule("plateau"), costs) == by_hand


def test_the_released_schedule_halves_when_two_decimals_repeat():
    costs = [1.239, 1.231, 1.229, 1.221, 1.225, 1.305, 1.229, 1.309]
    by_hand = [1, 0.5, 0.5, 0.25, 0.125, 0.125, 0.125, 0.125]
    assert rates(schedule("repeated"), costs) == by_hand


def test_the_released_schedule_remembers_the_last_cost_over_a_checkpoint():
    def optimizer():
        return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)

    first, second = HalveWhenRepeated(optimizer()), HalveWhenRepeated(optimizer())
    first.step(0.555)
    second.load_state_dict(first.state_dict())
    second.step(0.551)
    assert second.optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize("name", ["plateau", "repeated"])
def test_a_checkpoint_gives_back_the_network_and_holds_no_classifier(classifier, data, make_trainer, tmp_path, name):
    inverter, trainer = make_inverter(classifier, name), make_trainer()
    trainer.fit(inverter, data)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    checkpoint = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert set(checkpoint["state_dict"]) == {f"network.{key}" for key in inverter.network.state_dict()}
    assert (tmp_path / "last.ckpt").stat().st_size < 1_000_000  # the classifier alone has 5.6 MB
    assert checkpoint["svdx"] == describe(inverter.network)
    loaded = load_inverter(tmp_path / "last.ckpt", classifier)
    assert loaded.inverts == fingerprint(classifier)
    for key, value in inverter.network.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], value), key


class Start(pl.Callback):
    """What a fit starts from."""

    def on_train_start(self, trainer, inverter):
        self.epoch, self.weights = trainer.current_epoch, copy.deepcopy(inverter.state_dict())
        self.steps = {float(state["step"]) for state in trainer.optimizers[0].state.values()}
        self.best = trainer.lr_scheduler_configs[0].scheduler.best


def test_a_fit_goes_on_from_its_checkpoint(classifier, data, make_trainer, tmp_path):
    first, watch = make_inverter(classifier), Watch()
    trainer = make_trainer(callbacks=[watch])
    trainer.fit(first, data)
    trainer.save_checkpoint(tmp_path / "last.ckpt")
    stored, before = copy.deepcopy(first.state_dict()), copy.deepcopy(classifier.state_dict())

    again, start = make_inverter(classifier), Start()
    trainer = make_trainer(max_epochs=3, callbacks=[start])
    trainer.fit(again, data, ckpt_path=tmp_path / "last.ckpt", weights_only=True)
    assert start.epoch == 1
    assert start.steps == {2.0}
    assert start.best == pytest.approx(watch.costs[0])
    assert start.weights.keys() == stored.keys()
    assert all(torch.equal(start.weights[name], value) for name, value in stored.items())
    assert trainer.current_epoch == 3
    assert trainer.global_step == 6
    assert all(torch.equal(value, before[name]) for name, value in classifier.state_dict().items())


def test_a_fit_may_end_inside_an_epoch(classifier, data):
    costs = []

    class Costs(pl.Callback):
        def on_train_epoch_end(self, trainer, inverter):
            costs.append(float(inverter.total[1] / inverter.total[2]))

    for steps in (1, 3):  # an epoch has two
        inverter, trainer = make_inverter(classifier), quiet_trainer(max_steps=steps, callbacks=[Costs()])
        trainer.fit(inverter, data)
        assert inverter.total[2] == 1
        assert trainer.callback_metrics["train/cost"] == pytest.approx(costs[-1])
    assert len(costs) == 3 and len(set(costs)) == 3


def test_two_processes_train_what_one_trains(classifier, data, tmp_path):
    def weights(rank=None):
        torch.manual_seed(0)
        inverter = make_inverter(classifier, optimizer=torch.optim.SGD)  # Adam would magnify the rounding
        trainer = quiet_trainer(rank, max_epochs=2)
        trainer.fit(inverter, data)
        assert trainer.global_step == 2 * (len(data.train_set) // data.batch_size) > 2
        return {**inverter.network.state_dict(), "cost": trainer.callback_metrics["train/cost"]}

    alone = weights()
    for state in on_two(weights, tmp_path):
        torch.testing.assert_close(state, alone, atol=1e-6, rtol=1e-5)
