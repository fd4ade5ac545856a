"""What a configuration cannot mean is refused by its key, before anything is made of it."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from torch import nn

from svdx.app.rehearsal import rehearse
from svdx.app.settings import build, build_explainer, check, parts_needed
from svdx.errors import ConfigError, SvdxError
from svdx.explain import Area, Otsu, ReconstructionError

CONF = Path(__file__).parent.parent.parent / "conf"

KINDS = {  # override → what is expected
    "excerpts.n=many": "a whole number",
    "excerpts.n=2.5": "a whole number",
    "excerpts.n=null": "a whole number",
    "excerpts.seed=x": "a whole number",
    "excerpts.batch_size=x": "a whole number",
    "excerpts.test_hop=x": "a whole number",
    "excerpts.split=3": "a word",
    "excerpts.split=[test]": "a word",
    "excerpts.sampling=some": "random, tracks, released or all",
    "seed=x": "a whole number",
    "seed=null": "a whole number",
    "seed=true": "a whole number",
    "threads=2.5": "a whole number or null",
    "controls=null": "[a word, …]",
    "controls=random": "[a word, …]",
    "thresholds=0.5": "[a number, …] or null",
    "thresholds=[true]": "[a number, …] or null",
    "thresholds=[0.1,nan]": "[a number, …] or null",
    "areas=0.1": "[a number, …] or null",
    "areas=[most]": "[a number, …] or null",
    "points.areas=null": "[a number, …]",
    "explainer.area=most": "a number or null",
    "explainer.area=true": "a number or null",
    "explainer.threshold=high": "a number or null",
    "explainer.threshold=true": "a number or null",
    "explainer.threshold=nan": "a number or null",
    "explainer.floor=x": "a number",
    "explainer.fill=3": "a word",
    "classifier.threshold=true": "a number or null",
    "detection=maybe": "true or false",
    "agreement=1": "true or false",
    "frontend.hop=x": "a whole number",
    "frontend.n_bands=x": "a whole number",
    "frontend.f_min=x": "a number",
    "frontend.excerpt_frames=1.5": "a whole number",
    "store.workers=x": "a whole number or null",
    "data.n_train=x": "a whole number",
    "data.seconds=x": "a number",
    "data.seed=1.5": "a whole number",
    "data.features=maybe": "cached or live",
    "inverter.width=8.5": "a whole number",
    "inverter.name=3": "a word",
    "inverter.excerpts.hop=x": "a whole number",
    "inverter.system.l2=x": "a number",
    "inverter.system.network=none": "a section",
    "inverter.system.optimizer.lr=x": "a number or a section",
    "inverter.fit.max_epochs=x": "a whole number or null",
    "classifier.fit.limit_train_batches=x": "a number or null",
    "classifier.system.softening=x": "a number",
    "classifier.excerpts.augment.max_stretch=x": "a number",
    "classifier.excerpts.both_classes=maybe": "true or false",
}
RANGES = {
    "seed=-1": "0 to 4294967295",
    "threads=0": "1 or more",
    "excerpts.n=0": "1 or more",
    "excerpts.seed=-1": "0 or more",
    "thresholds=[0.1,1.2]": "0 to 1.1",
    "explainer.threshold=-0.1": "0 to 1.1",
    "areas=[0.1,1.2]": "0 to 1",
    "explainer.area=10": "0 to 1",
    "classifier.threshold=2": "0 to 1",
    "store.workers=-1": "1 or more",
    "inverter.fit.max_epochs=0": "1 or more",
    "classifier.fit.max_epochs=-1": "1 or more",
    "inverter.excerpts.batch_size=1": "2 or more",
}
CONSTRUCTORS = {  # override → what the constructor says
    "inverter.width=12": "inverter.width=12: expected a multiple of 8",
    "inverter.excerpts.hop=0": "excerpts.hop=0: expected at least 1",
    "excerpts.split=valid+": "excerpts.split=valid+: expected train, valid, test, or several as valid+test",
    "excerpts.batch_size=0": "excerpts.batch_size=0: expected at least 1",
    "classifier.excerpts.augment.max_stretch=1": "augment.max_stretch=1: expected 0 to less than 1",
    "classifier.excerpts.augment.max_shift=1.5": "augment.max_shift=1.5: expected 0 to less than 1",
    "classifier.excerpts.augment.strip=0": "augment.strip=0: expected at least 1",
    "explainer.keep=most": "explainer.keep=most: expected salient or complement",
    "explainer.fill=most": "explainer.fill=most: expected mean, zero, floor or excerpt-mean",
    "explainer.floor=0": "explainer.floor=0: expected more than 0",
    "frontend.hop=0": "frontend.hop=0: expected at least 1",
    "frontend.n_bands=0": "frontend.n_bands=0: expected at least 1",
    "frontend.f_min=9000": "frontend: f_min=9000 and f_max=8000.0 should ascend from 0 to half of sample_rate=22050",
    "frontend.floor=0": "frontend.floor=0: expected more than 0",
    "frontend.excerpt_frames=20": "SVDNet needs at least 25 frames and bands",
    "frontend.excerpt_frames=200": "the inverter makes at most 128 frames and bands",
    "trainer.precision=foo": "trainer.precision=foo: refused by Lightning",
    "+trainer.limit_test_batches=-1": "refused by Lightning",
}


@pytest.fixture(scope="module", autouse=True)
def hydra():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def composed(*words, entry="evaluate"):
    return compose(entry, ["paths.run=run", *words])


@pytest.mark.parametrize("override, expected", [*KINDS.items(), *RANGES.items()])
def test_another_kind_and_another_range_are_refused_by_the_key_that_was_set(override, expected):
    with pytest.raises(ConfigError) as error:
        check(composed(override))
    assert str(error.value) == f"{override}: expected {expected}"


@pytest.mark.parametrize(
    "override, expected",
    {
        "start=soon": "a number or all or null",
        "start=-0.001": "0 or more",
        "maximisation.l2=-1": "0 or more",
        "maximisation.steps=2.5": "a whole number",
    }.items(),
)
def test_what_only_explain_takes(override, expected):
    with pytest.raises(ConfigError, match=f"^{override}: expected {expected}$"):
        check(composed(override, entry="explain"))


COMPARE = {  # override → what is said
    "compare.methods.random.seed=x": "seed=x: expected a whole number",
    "compare.methods.random.fill=3": "compare.methods.random.fill=3: expected a word",
    "compare.methods.random.fill=most": "compare.methods.random: explainer.fill=most: expected mean, zero, floor",
    "compare.methods.inversion.threshold=2": "compare.methods.inversion: explainer.threshold: 2 is outside",
    "compare.equal_area.fills=mean": "compare.equal_area.fills=mean: expected [a word, …]",
    "compare.equal_area.fills=[]": "compare.equal_area.fills=[]: expected one or more",
    "compare.equal_area.areas=[0.2,0.1]": "expected ascending shares between 0 and 1",
    "compare.sanity.n=0": "compare.sanity.n=0: expected 1 or more",
    "compare.sanity.draws=0": "compare.sanity.draws=0: expected 1 or more",
    "compare.sanity.retrain=1": "compare.sanity.retrain=1: expected true or false",
    "compare.sanity.best=0": "compare.sanity.best=0: expected more than 0",
    "compare.cost.seconds=-1": "compare.cost.seconds=-1: expected more than 0",
    "compare.shown=x": "compare.shown=x: expected a number",
}


@pytest.mark.parametrize("override, said", COMPARE.items())
def test_what_a_comparison_cannot_mean_is_refused_before_anything_is_trained(override, said):
    cfg = composed("experiment=compare", override)
    with pytest.raises(ConfigError) as error:
        check(cfg)
        rehearse(cfg, build(cfg.store, frontend=build(cfg.frontend)))
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("override, said", CONSTRUCTORS.items())
def test_what_a_constructor_refuses_is_said_before_a_corpus_or_a_network_is_made(override, said):
    cfg = composed(override)
    check(cfg)
    with pytest.raises(SvdxError) as error:
        rehearse(cfg, build(cfg.store, frontend=build(cfg.frontend)))
    assert said in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("entry", ["train", "evaluate", "explain"])
@pytest.mark.parametrize("data", ["folder", "jamendo", "rwc", "stems", "synthetic"])
def test_what_is_configured_passes(entry, data):
    for experiment in ("eusipco2018", "released_code"):
        check(composed(f"data={data}", f"experiment={experiment}", "data.root=2024", "logger=wandb", entry=entry))
    cfg = composed(f"data={data}", entry=entry)
    rehearse(cfg, build(cfg.store, frontend=build(cfg.frontend)))


AREA = "threshold=area"
CHOICES = {  # overrides → what is said
    (AREA, "explainer.area=1.5"): "explainer.area=1.5: expected 0 to 1",
    (AREA, "explainer.area=x"): "explainer.area=x: expected a number",
    (AREA, "explainer.threshold=0.5"): "explainer.threshold=0.5: a number is for threshold=fixed",
    ("explainer.threshold=0.5", "explainer.area=0.2"): "explainer.threshold=0.5 and explainer.area=0.2: give one",
    ("threshold=reconstruction_error", "explainer.error=2"): "explainer.error=2: expected 0 to 1",
    ("threshold=reconstruction_error", "explainer.step=0"): "explainer.step=0: expected more than 0",
}


@pytest.mark.parametrize("overrides, said", CHOICES.items())
def test_what_a_choice_of_threshold_cannot_be_is_said_before_a_network_is_made(overrides, said):
    cfg = composed(*overrides)
    with pytest.raises(ConfigError) as error:
        check(cfg)
        rehearse(cfg, build(cfg.store, frontend=build(cfg.frontend)))
    assert said in str(error.value) and "\n" not in str(error.value)


def test_whole_tracks_are_not_cut_by_their_reconstruction_error():
    cfg = composed("threshold=reconstruction_error", "start=all", entry="explain")
    with pytest.raises(ConfigError, match="of excerpts only"):
        rehearse(cfg, build(cfg.store, frontend=build(cfg.frontend)))


@pytest.mark.parametrize("entry", ["train", "evaluate", "explain"])
@pytest.mark.parametrize("explainer", ["inversion", "random"])
def test_every_choice_of_threshold_becomes_the_explainers(entry, explainer):
    chosen = {AREA: Area(0.25), "threshold=otsu": Otsu(), "threshold=fixed": 0.5}
    chosen["threshold=reconstruction_error"] = ReconstructionError(0.5, 0.02)
    for word, expected in chosen.items():
        more = {AREA: ["explainer.area=0.25"], "threshold=fixed": ["explainer.threshold=0.5"]}.get(word, [])
        cfg = composed(word, *more, f"explainer={explainer}", entry=entry)
        check(cfg)
        parts = dict.fromkeys(parts_needed(cfg.explainer))
        found = build_explainer(cfg.explainer, classifier=nn.Identity(), **parts)
        assert found.threshold == expected and found.name == explainer
        assert build_explainer(cfg.explainer, classifier=nn.Identity(), threshold=0.3, **parts).threshold == 0.3


def test_files_that_are_not_there_are_named():
    for key in ("classifier.weights", "classifier.standardisation", "inverter.weights"):
        with pytest.raises(SvdxError, match=r"nope\.npz: no such file"):
            check(composed(f"{key}=nope.npz"))
