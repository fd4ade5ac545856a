"""`trainer.gpus` in Lightning's words, on machines with no, one and four GPUs."""

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CPUAccelerator

from svdx.app.trainer import devices, make_trainer
from svdx.errors import ConfigError

CPU = {"accelerator": "cpu", "devices": 1, "strategy": "auto"}


@pytest.fixture
def machine(monkeypatch):
    def with_gpus(count):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return with_gpus


def gpu(*ids):
    return {"accelerator": "gpu", "devices": list(ids), "strategy": "ddp" if len(ids) > 1 else "auto"}


@pytest.mark.parametrize(
    "gpus, found, expected",
    [
        *((none, found, CPU) for none in (0, None) for found in (0, 1, 4)),
        ("auto", 0, CPU),
        ("auto", 1, gpu(0)),
        ("auto", 4, gpu(0, 1, 2, 3)),
        (-1, 1, gpu(0)),
        (-1, 4, gpu(0, 1, 2, 3)),
        (1, 1, gpu(0)),
        (1, 4, gpu(0)),
        (2, 4, gpu(0, 1)),
        ([0], 1, gpu(0)),
        ([3], 4, gpu(3)),
        ([0, 1], 4, gpu(0, 1)),
        ([2, 0], 4, gpu(2, 0)),
    ],
)
def test_gpus_in_terms_of_lightning(machine, gpus, found, expected):
    machine(found)
    assert devices(gpus) == expected


@pytest.mark.parametrize(
    "gpus, found", [(1, 0), (-1, 0), (2, 1), ([0, 1], 1), ([0], 0), ([4], 4), (5, 4), ([0, 1], 0), (8, 0)]
)
def test_missing_gpus_are_refused_with_the_available_number_and_a_remedy(machine, gpus, found):
    machine(found)
    with pytest.raises(ConfigError) as error:
        devices(gpus)
    line = str(error.value)
    assert line.startswith(f"trainer.gpus={gpus}: {found} GPU(s) found by torch {torch.__version__} ")
    assert f"CUDA {torch.version.cuda or 'none'}" in line
    assert line.endswith("trainer.gpus=0 runs on the CPU")
    assert "\n" not in line


@pytest.mark.parametrize("found", [0, 1, 4])
@pytest.mark.parametrize(
    "gpus",
    [
        True,
        False,
        [True],
        [0, False],
        "1",
        "2",
        "cpu",
        "",
        "all",
        -2,
        [-1],
        [0, 0],
        [1, 2, 1],
        [],
        ["0"],
        1.0,
        -1.0,
        [0.0],
    ],
)
def test_an_invalid_number_of_gpus_is_refused_on_every_machine(machine, gpus, found):
    machine(found)
    with pytest.raises(ConfigError, match=r"trainer\.gpus=.*: expected 0, a number of GPUs, -1 \(all\), auto or") as e:
        devices(gpus)
    assert "\n" not in str(e.value)


QUIET = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)


@pytest.mark.parametrize("gpus", [0, None, "auto"])
def test_a_trainer_without_gpus_is_on_the_cpu(machine, gpus):
    machine(0)
    trainer = make_trainer(gpus, **QUIET, max_epochs=3)
    assert isinstance(trainer.accelerator, CPUAccelerator)
    assert (trainer.num_devices, trainer.world_size, trainer.max_epochs) == (1, 1, 3)


@pytest.fixture
def told(monkeypatch):
    """What `make_trainer` tells Lightning, without a trainer being made."""
    monkeypatch.setattr(pl, "Trainer", lambda **options: options)
    return make_trainer


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"accelerator": "gpu", "devices": [2]}, {"accelerator": "gpu", "devices": [2]}),
        ({"accelerator": "cpu"}, {"accelerator": "cpu"}),
        ({"devices": 3}, {"devices": 3}),
        ({"accelerator": None, "devices": None, "strategy": None, "precision": None}, gpu(0, 1)),
        ({"strategy": "fsdp"}, {**gpu(0, 1), "strategy": "fsdp"}),
        ({"max_epochs": 7, "precision": "bf16-mixed"}, {**gpu(0, 1), "max_epochs": 7, "precision": "bf16-mixed"}),
    ],
)
def test_lightnings_own_options_win_and_null_means_its_default(machine, told, options, expected):
    machine(4)
    assert told(2, **options) == expected


def test_gpus_are_not_counted_if_an_accelerator_is_named(machine, told):
    machine(0)
    assert told(4, accelerator="cpu", devices=1) == {"accelerator": "cpu", "devices": 1}


@pytest.mark.parametrize("key, value", [("accelerator", "tpu"), ("devices", 0), ("devices", "x"), ("precision", "foo")])
def test_what_lightning_refuses_is_one_line_with_the_key(machine, key, value):
    machine(0)
    with pytest.raises(
        ConfigError, match=rf"^trainer\.{key}={value}: refused by Lightning \(.+\); without it"
    ) as error:
        make_trainer(0, **QUIET, **{key: value})
    assert "\n" not in str(error.value)


def test_an_option_that_lightning_refuses_is_not_blamed_on_the_device(machine):
    machine(0)
    with pytest.raises(ConfigError, match=r"^trainer: refused by Lightning \(.*-3.*\)$"):
        make_trainer(0, **QUIET, limit_test_batches=-3)


@pytest.mark.parametrize("options", [{"foo": 1}, {"devices": -5}, {"limit_test_batches": "a"}, {"strategy": "foo"}])
def test_what_lightning_refuses_with_any_kind_of_error_is_one_line(machine, options):
    machine(0)
    with pytest.raises(ConfigError, match=r"refused by Lightning \(.+\)") as error:
        make_trainer(0, **QUIET, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", [TypeError, AttributeError, NameError, IndexError, KeyError, ZeroDivisionError])
def test_a_defect_of_svdx_is_not_called_refused_by_lightning(machine, monkeypatch, kind):
    def defective(**options):
        raise kind("a defect")

    machine(0)
    monkeypatch.setattr(pl, "Trainer", defective)
    with pytest.raises(kind, match="a defect"):
        make_trainer(0)
