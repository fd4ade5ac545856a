"""What many tests share: the configured front end, a corpus of a few seconds, a classifier with random weights."""

import copy
from pathlib import Path

import numpy as np
import pytest
import pytorch_lightning as pl
import soundfile
import torch
from omegaconf import OmegaConf

from svdx.audio.logmel import FrontEnd
from svdx.corpora import Folder
from svdx.data.cache import MelStore
from svdx.models import SVDNet, UpConv
from svdx.models.weights import save
from svdx.training.inverter import Inverter
from tests.support.command_line import CORPUS, FEW, KEY, Shell, epochs, metrics

REPOSITORY = Path(__file__).parent.parent
RATE = 22050
SPLITS = {"train": 2, "valid": 1, "test": 1}  # tracks

torch.set_num_threads(1)  # tiny tensors on shared cores


@pytest.fixture(autouse=True)
def seeded():
    """Torch's and NumPy's global generators start every test alike."""
    torch.manual_seed(0)
    np.random.seed(0)  # Lightning and legacy code draw from it


@pytest.fixture(scope="session")
def frontend():
    """The front end with the constants of conf/frontend/svdnet.yaml."""
    settings = OmegaConf.to_container(OmegaConf.load(REPOSITORY / "conf/frontend/svdnet.yaml"))
    settings.pop("_target_")
    return FrontEnd(**settings)


def write_track(root, name, seconds=4.0, seed=0):
    """One track in the folder layout: a low tone and noise throughout, a high tone too while somebody "sings".

    The first half is non-vocal, the second vocal.
    """
    time = np.arange(round(seconds * RATE)) / RATE
    generator = np.random.default_rng(seed)
    sings = time >= seconds / 2
    sound = 0.1 * np.sin(2 * np.pi * (110 + 20 * seed) * time) + 0.005 * generator.standard_normal(len(time))
    sound += 0.2 * sings * np.sin(2 * np.pi * (1000 + 50 * seed) * time)
    for folder in ("audio", "labels", "filelists"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    soundfile.write(root / "audio" / f"{name}.wav", sound, RATE, subtype="FLOAT")
    half = seconds / 2
    (root / "labels" / f"{name}.lab").write_text(f"0 {half} nosing\n{half} {seconds} sing\n")


def write_corpus(root, seconds=4.0, splits=SPLITS):
    """Tracks `train0`, `train1`, `valid0`, `test0` below root in the folder layout, as a corpus."""
    seed = 0
    for split, count in splits.items():
        names = [f"{split}{i}" for i in range(count)]
        for name in names:
            write_track(root, name, seconds, seed)
            seed += 1
        (root / "filelists" / split).write_text("".join(f"{name}.wav\n" for name in names))
    return Folder(root)


@pytest.fixture(scope="session")
def make_corpus():
    """The factory `make_corpus(root, seconds=4.0, splits={"train": 2, "valid": 1, "test": 1})` → Folder."""
    return write_corpus


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory):
    """Four tracks of four seconds, made once; only read it."""
    return write_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory, frontend):
    """A log-mel cache shared by all tests; only read it."""
    return MelStore(tmp_path_factory.mktemp("mels"), frontend, workers=1)


@pytest.fixture(scope="session")
def _classifier():
    torch.manual_seed(1)
    network = SVDNet()
    network.mean.copy_(torch.linspace(-3, -5, 80))
    network.std.copy_(torch.linspace(1, 2, 80))
    network.threshold.fill_(0.66)
    return network.eval().requires_grad_(False)


@pytest.fixture
def classifier(_classifier):
    """An SVDNet with random weights, a standardisation and the threshold 0.66; frozen, in eval mode; one's own copy."""
    return copy.deepcopy(_classifier)


@pytest.fixture
def make_trainer(tmp_path):
    """`make_trainer(max_epochs=1, …)`: a Trainer on the CPU that is silent and writes below tmp_path only."""

    def make(**options):
        quiet = dict(logger=False, enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0)
        place = dict(accelerator="cpu", devices=1, default_root_dir=tmp_path)
        return pl.Trainer(**{"max_epochs": 1, "enable_checkpointing": False, **quiet, **place, **options})

    return make


def pytest_configure(config):  # Lightning advises worker processes; tests have none on purpose
    config.addinivalue_line("filterwarnings", "ignore:.*does not have many workers.*")


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, so that no process is left alone with one in the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shell(tmp_path_factory):
    return Shell(tmp_path_factory.mktemp("commands"))


@pytest.fixture(scope="session")
def trained(shell):
    """Three trainings: with nothing there; with a classifier there; the second one resumed."""
    directory, first = shell("first", "train.py", *CORPUS)
    (classifier,) = (shell.cache / "models").glob(f"{KEY}-*/classifier.safetensors")
    left = {"first": first.stdout, "classifier": classifier.read_bytes(), "metrics": metrics(directory)}
    left["checkpoint"] = epochs(directory)
    _, second = shell("second", "train.py", *CORPUS)
    left |= {"second": second.stdout, "classifier after the second": classifier.read_bytes()}
    _, resumed = shell("first", "train.py", *CORPUS, "inverter.fit.max_epochs=2", "resume=true")
    return left | {"resumed": resumed.stdout}


@pytest.fixture(scope="session")
def untrained(tmp_path_factory, _classifier, tiny_corpus):
    """Words of a command that evaluates a few excerpts with networks of random weights, without any training."""
    place = tmp_path_factory.mktemp("untrained")
    inverter = Inverter(UpConv(8), copy.deepcopy(_classifier), None, None, 0)  # the network learns whose it is
    for name, network in (("classifier", _classifier), ("inverter", inverter.network)):
        save(network, place / f"{name}.safetensors")
    weights = [f"{name}.weights={place / name}.safetensors" for name in ("classifier", "inverter")]
    return ["data=folder", f"data.root={tiny_corpus.root}", *weights, "excerpts.n=6"]


@pytest.fixture(scope="session")
def curve(shell, trained):
    return shell("evaluate", "evaluate.py", *CORPUS, *FEW)[0]
