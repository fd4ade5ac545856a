"""Every configuration that can be composed resolves, its targets exist, and the experiments hold the paper's values."""

import inspect
import itertools
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf

from svdx.app.settings import build
from svdx.audio.logmel import FrontEnd
from svdx.commands.compare import SHOWN
from svdx.corpora.corpus import SPLITS
from svdx.data.datamodule import ExcerptsData
from svdx.explanation import FeatureInversion
from svdx.models import SVDNet, UpConv
from svdx.models.layers import MAPS, VECTORS
from svdx.models.map_inverter import MapInverter
from svdx.training.classifier import Detector
from svdx.training.inverter import Inverter
from tests.corpora.test_rwc import add as write_piece
from tests.corpora.test_stems import add as write_stems

CONF = Path(__file__).parent.parent.parent / "conf"


def options(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def words(group):
    return [f"{group}={choice}" for choice in options(group)]


def pairwise(*groups):
    """Combinations of one choice per group, chosen greedily until they contain every pair of choices."""
    product = [(choices, set(itertools.combinations(enumerate(choices), 2))) for choices in itertools.product(*groups)]
    missing = set().union(*(pairs for _, pairs in product))
    while missing:
        choices, pairs = max(product, key=lambda candidate: len(candidate[1] & missing))
        missing -= pairs
        yield choices


ENTRIES = sorted(path.stem for path in CONF.glob("*.yaml") if path.stem != "base")
COMMANDS = ["evaluate", "explain", *(f"train {word}" for word in words("model"))]
LINES = list(map(" ".join, pairwise(COMMANDS, words("data"), words("logger"), ["", *words("experiment")])))


@pytest.fixture(scope="module", autouse=True)
def hydra():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def composed(entry="train", *words):
    """A composed configuration in which only what a command line must give is given."""
    given = ["paths.run=run", *(["audio=song.mp3"] if entry == "explain" else [])]
    return compose(entry, [*given, *words])


def targets(node):
    """Every node with a `_target_`, outermost first."""
    if isinstance(node, DictConfig):
        if "_target_" in node:
            yield node
        yield from (found for value in node.values() for found in targets(value))
    elif isinstance(node, ListConfig):
        yield from (found for value in node for found in targets(value))


def test_config_groups_have_the_documented_choices():
    assert ENTRIES == ["evaluate", "explain", "train"]
    assert options("data") == ["folder", "jamendo", "rwc", "stems", "synthetic"]
    assert options("logger") == ["csv", "mlflow", "tensorboard", "wandb"]
    assert options("callbacks") == ["default"]
    assert options("model") == ["inverter", "svdnet"]
    assert options("engine") == ["local", "ray"]
    assert options("experiment") == ["compare", "cross_dataset", "eusipco2018", "released_code"]
    assert options("classifier") == ["quick", "svdnet"]


@pytest.mark.parametrize("line", LINES)
def test_every_configuration_composes_and_resolves(line):
    entry, *words = line.split()
    needed = ["models=trained"] if "experiment=cross_dataset" in words else []
    cfg = composed(entry, *words, *needed)
    OmegaConf.resolve(cfg)
    assert not OmegaConf.missing_keys(cfg)
    assert f"data={cfg.data.name}" in words
    for node in targets(cfg):
        parameters = inspect.signature(get_object(node._target_)).parameters
        keys = {key for key in node if key not in ("_target_", "_partial_")}
        loose = any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values())
        assert loose or keys <= set(parameters), node._target_


@pytest.fixture(scope="module")
def corpora(tmp_path_factory, make_corpus):
    """What is to be said on the command line about a tiny corpus of each kind."""
    root = tmp_path_factory.mktemp("corpora")
    for name in ("folder", "jamendo"):
        make_corpus(root / name, seconds=0.1)
    for number in ("001", "002", "003"):
        write_piece(root / "rwc", f"RM-P{number}.wav", number)
    for track in ("train/one", "train/two", "test/three"):
        write_stems(root / "stems", track)
    sizes = {
        "rwc": ["data.n_test=1", "data.n_valid=1"],
        "stems": ["data.n_valid=1"],
        "synthetic": ["data.n_train=1", "data.n_valid=1", "data.n_test=1", "data.seconds=4", "data.corpus.workers=1"],
    }
    return {data: [f"data={data}", f"data.root={root / data}", *sizes.get(data, [])] for data in options("data")}


@pytest.mark.parametrize("data", options("data"))
@pytest.mark.parametrize(
    "entry, model", [("train", "inverter"), ("train", "svdnet"), ("evaluate", ""), ("explain", "")]
)
def test_data_and_systems_can_be_built_for_every_corpus(entry, model, data, corpora, tiny_store):
    cfg = composed(entry, *corpora[data], *([f"model={model}"] if model else []))
    corpus = build(cfg.data.corpus)
    assert [len(corpus.split(split)) for split in SPLITS] == [2 if data in ("folder", "jamendo") else 1, 1, 1]
    for section in (cfg, cfg.classifier, cfg.inverter):
        made = build(section.excerpts, corpus=corpus, store=tiny_store)
        assert isinstance(made, ExcerptsData) and made.corpus is corpus and made.store is tiny_store
    detector = build(cfg.classifier.system)
    assert isinstance(detector, Detector) and isinstance(detector.network, SVDNet)
    inverter = build(cfg.inverter.system, classifier=detector.network)
    assert isinstance(inverter, Inverter) and isinstance(inverter.network, UpConv)
    for system in (detector, inverter):
        assert isinstance(system.optimizer(system.parameters()), torch.optim.Optimizer)


@pytest.mark.parametrize("entry", ENTRIES)
def test_documented_defaults(entry):
    cfg = composed(entry)
    assert cfg.data.name == "synthetic"
    assert list(cfg.logger) == ["csv"]
    assert (cfg.trainer.gpus, cfg.seed) == (0, 0)
    assert (cfg.explainer.keep, cfg.explainer.fill) == ("salient", "mean")
    assert cfg.explainer.threshold is None and cfg.explainer.area is None  # the explainer's own cut
    assert (cfg.classifier.weights, cfg.classifier.standardisation, cfg.classifier.threshold) == (None, "own", None)
    assert cfg.inverter.weights is None
    assert (cfg.excerpts.sampling, cfg.excerpts.n, cfg.excerpts.seed) == ("random", 3000, 0)


def test_default_points_and_model():
    assert composed("evaluate").points.thresholds == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1]
    assert composed("evaluate").points.areas == [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7]
    assert composed("train").model == "inverter"
    assert composed("train", "model=svdnet").model == "svdnet"
    assert composed("train").resume is False


def test_constants_of_the_front_end_are_defined_once():
    constants = OmegaConf.load(CONF / "frontend/svdnet.yaml")
    assert dict(constants) == dict(
        _target_="svdx.audio.logmel.FrontEnd",
        **dict(sample_rate=22050, frame_length=1024, hop=315, n_bands=80, f_min=27.5, f_max=8000.0, floor=1e-7),
        excerpt_frames=115,
    )
    values = {str(value) for key, value in constants.items() if key != "_target_"} | {"8000", "1e-7", "513", "70"}
    for path in CONF.rglob("*.yaml"):
        if path.parent.name != "frontend":
            lines = [line for line in path.read_text().splitlines() if "limit_train_batches" not in line]  # a count
            words = {word for line in lines for word in line.partition("#")[0].split()}
            assert not {word.strip(",{}[]") for word in words} & values, path


@pytest.mark.parametrize("frames, bands", [(115, 80), (100, 60)])
def test_networks_take_their_size_from_the_front_end(frames, bands):
    cfg = composed("train", f"frontend.excerpt_frames={frames}", f"frontend.n_bands={bands}")
    assert isinstance(instantiate(cfg.frontend), FrontEnd)
    classifier, inverter = instantiate(cfg.classifier.system.network), instantiate(cfg.inverter.system.network)
    assert isinstance(classifier, SVDNet) and isinstance(inverter, UpConv)
    excerpts = torch.zeros(2, frames, bands)
    assert inverter.eval()(classifier.eval().features(excerpts)).shape == excerpts.shape


@pytest.mark.parametrize(("layer", "entry"), zip(options("layer"), itertools.cycle(ENTRIES)))
def test_a_layer_selects_its_inverter_and_file_name(layer, entry):
    cfg = composed(entry, f"layer={layer}", "experiment=released_code")
    network = instantiate(cfg.inverter.system.network)
    assert (cfg.layer, network.layer, network.width) == (layer, layer, 64)
    assert isinstance(network, UpConv if layer in VECTORS else MapInverter)
    assert cfg.inverter.name == ("inverter.safetensors" if layer == "fc8" else f"inverter-{layer}.safetensors")
    assert cfg.inverter.system.scheduler._target_.endswith("HalveWhenRepeated")
    other = composed(entry, f"layer={layer}", "experiment=cross_dataset", "models=trained")
    assert other.inverter.weights == f"trained/{cfg.inverter.name}"


def test_every_layer_has_a_config_and_fc8_is_the_default():
    assert options("layer") == sorted([*MAPS, *VECTORS])
    assert all(composed(entry).layer == "fc8" for entry in ENTRIES)


def parameter():
    return [torch.nn.Parameter(torch.zeros(1))]


def schedule(section):
    optimizer = instantiate(section.optimizer)(parameter())
    return optimizer, instantiate(section.scheduler)(optimizer)


def test_the_classifier_is_trained_as_published_in_2015():
    section = composed("train", "experiment=eusipco2018").classifier
    optimizer, scheduler = schedule(section.system)
    assert isinstance(optimizer, torch.optim.SGD) and optimizer.defaults["nesterov"]
    assert (optimizer.defaults["lr"], optimizer.defaults["momentum"]) == (0.01, 0.95)
    assert isinstance(scheduler, torch.optim.lr_scheduler.ExponentialLR) and scheduler.gamma == 0.85
    assert (section.system.interval, section.system.softening) == ("epoch", 0.02)
    assert (section.excerpts.batch_size, section.fit.limit_train_batches, section.fit.max_epochs) == (32, 2000, 20)
    augment = section.excerpts.augment
    assert augment.strip == 1
    assert (augment.max_stretch, augment.max_shift, augment.max_db) == (0.3, 0.3, 10)


@pytest.mark.parametrize("data", options("data"))
@pytest.mark.parametrize("experiment, width, trainable", [("eusipco2018", 16, 31117), ("released_code", 64, 130081)])
def test_the_inverter_is_trained_as_published_on_every_corpus(experiment, width, trainable, data):
    cfg = composed("train", f"experiment={experiment}", f"data={data}")
    section = cfg.inverter
    network = instantiate(section.system.network)
    assert (section.width, sum(p.numel() for p in network.parameters())) == (width, trainable)
    optimizer, scheduler = schedule(section.system)
    assert isinstance(optimizer, torch.optim.Adam) and optimizer.defaults["lr"] == 1e-3
    assert optimizer.defaults["weight_decay"] == 0 and section.system.l2 == 1e-4
    assert (section.excerpts.batch_size, section.excerpts.hop, section.fit.max_epochs) == (32, 10, 30)
    assert section.excerpts.get("augment") is None and section.fit.get("limit_train_batches") is None
    assert scheduler.factor == 0.5
    assert (cfg.explainer.fill, cfg.explainer.keep) == ("mean", "salient")
    assert (cfg.classifier.fit.limit_train_batches, cfg.classifier.fit.max_epochs) == (2000, 20)


@pytest.mark.parametrize("experiment", ["", "experiment=eusipco2018", "experiment=released_code"])
@pytest.mark.parametrize("data", options("data"))
def test_the_last_epoch_is_validated(data, experiment):
    cfg = composed("train", f"data={data}", *filter(None, [experiment]))
    for section in (cfg.classifier, cfg.inverter):
        assert section.fit.max_epochs % section.fit.get("check_val_every_n_epoch", 1) == 0


def test_learning_rate_schedules_of_the_paper_and_of_the_released_code():
    _, plateau = schedule(composed("train", "experiment=eusipco2018").inverter.system)
    assert type(plateau) is torch.optim.lr_scheduler.ReduceLROnPlateau
    assert (plateau.factor, plateau.patience, plateau.threshold, plateau.threshold_mode) == (0.5, 1, 0.01, "abs")
    _, repeated = schedule(composed("train", "experiment=released_code").inverter.system)
    assert type(repeated).__name__ == "HalveWhenRepeated"


def test_released_code_differs_from_the_paper_only_in_width_schedule_and_sampling():
    paper, program = (
        OmegaConf.to_container(composed("evaluate", f"experiment={name}"), resolve=True)
        for name in ("eusipco2018", "released_code")
    )
    for cfg in (paper, program):
        cfg["inverter"]["system"].pop("scheduler")
        cfg["inverter"]["system"]["network"].pop("width")
        cfg["inverter"].pop("width")
        cfg["excerpts"].pop("sampling")
    assert paper == program


@pytest.mark.parametrize("experiment, sampling", [("eusipco2018", "random"), ("released_code", "released")])
def test_sampling_of_the_paper_and_of_the_released_code(experiment, sampling):
    for data in ("jamendo", "synthetic"):
        assert composed("evaluate", f"experiment={experiment}", f"data={data}").excerpts.sampling == sampling


@pytest.mark.parametrize("entry", ENTRIES)
def test_explainer_and_trainer_can_be_built(entry, classifier):
    cfg = composed(entry, "explainer.threshold=0.25", "explainer.keep=complement")
    explainer = instantiate(cfg.explainer, _partial_=True)(classifier=classifier, inverter=UpConv(8))
    assert isinstance(explainer, FeatureInversion)
    assert (explainer.threshold, explainer.keep) == (0.25, "complement")
    trainer = instantiate(cfg.trainer, logger=False)
    assert isinstance(trainer, pl.Trainer) and trainer.num_devices == 1


def test_wandb_is_offline_and_beside_csv():
    cfg = composed("train", "logger=wandb")
    assert set(cfg.logger) == {"csv", "wandb"}
    assert cfg.logger.wandb.mode == "offline"


def test_methods_of_a_comparison_can_be_added_and_left_out():
    methods = composed("evaluate", "experiment=compare").compare.methods
    assert next(iter(methods)) == "inversion" and {"random", "random_blocks", "energy"} <= set(methods)
    fewer = composed("evaluate", "experiment=compare", "~compare.methods.energy").compare.methods
    assert set(methods) - set(fewer) == {"energy"}
    more = composed("evaluate", "experiment=compare", "+explainer@compare.methods.other=random").compare.methods
    assert more.other._target_ == methods.random._target_


def test_fills_and_areas_of_a_comparison():
    cfg = composed("evaluate", "experiment=compare")
    assert len(cfg.compare.equal_area.fills) == 3 and cfg.compare.equal_area.fills[0] == cfg.explainer.fill
    assert cfg.compare.equal_area.areas == [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7]
    assert cfg.compare.shown == SHOWN and (cfg.excerpts.sampling, cfg.excerpts.batch_size) == ("tracks", 32)


@pytest.mark.parametrize("kind", ["run", "sweep"])
@pytest.mark.parametrize("entry", ENTRIES)
def test_runs_started_in_the_same_second_have_different_directories(entry, kind):
    def directory():
        cfg = compose(entry, [f"hydra.job.name={entry}"], return_hydra_config=True)
        return OmegaConf.select(cfg, f"hydra.{kind}.dir")

    assert directory() != directory()
    assert directory().startswith(f"runs/{entry}/")
