"""Validation refuses a configuration by the key that the user sets, before anything is computed."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from torch import nn

from svdx.app.settings import build_explainer, parts_needed
from svdx.app.validation import validate_config
from svdx.errors import ConfigError, SvdxError
from svdx.explanation import Area, Otsu, ReconstructionError

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
    "explainer.fill=3": "mean, zero, floor or excerpt-mean",
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
CONSTRUCTORS = {  # override → start of the message
    "inverter.width=12": "inverter.width=12: expected a multiple of 8, 8 or more",
    "inverter.excerpts.hop=0": "inverter.excerpts.hop=0: expected 1 or more",
    "excerpts.split=valid+": "excerpts.split=valid+: expected train, valid, test, or several as valid+test",
    "excerpts.batch_size=0": "excerpts.batch_size=0: expected 1 or more",
    "classifier.excerpts.augment.max_stretch=1": "classifier.excerpts.augment.max_stretch=1: expected 0 to less than 1",
    "classifier.excerpts.augment.max_shift=1.5": "classifier.excerpts.augment.max_shift=1.5: expected 0 to less than 1",
    "classifier.excerpts.augment.strip=0": "classifier.excerpts.augment.strip=0: expected 1 or more",
    "explainer.keep=most": "explainer.keep=most: expected salient or complement",
    "explainer.fill=most": "explainer.fill=most: expected mean, zero, floor or excerpt-mean",
    "explainer.floor=0": "explainer.floor=0: expected more than 0",
    "frontend.hop=0": "frontend.hop=0: expected 1 or more",
    "frontend.n_bands=0": "frontend.n_bands=0: expected 1 or more",
    "frontend.f_min=9000": "frontend: f_min=9000 and f_max=8000.0 should ascend from 0 to half of sample_rate=22050",
    "frontend.floor=0": "frontend.floor=0: expected more than 0",
    "frontend.excerpt_frames=20": "frontend.excerpt_frames=20: expected 25 or more",
    "frontend.excerpt_frames=200": "frontend.excerpt_frames=200: expected 1 to 128",
    "trainer.precision=foo": "trainer.precision=foo: expected ",
    "+trainer.limit_test_batches=-1": "trainer.limit_test_batches=-1: expected 0 or more",
    "trainer.devices=x": "trainer.devices=x: refused by Lightning (",
    "trainer.accelerator=tpu": "trainer.accelerator=tpu: no such device here; without it trainer.gpus=0",
    "trainer.accelerator=abacus": "trainer.accelerator=abacus: no such device here",
    "explainer=contrast layer=mp6": "layer=mp6: explainer=contrast needs fc8",
    "+explainer.hue=1": "explainer.hue: FeatureInversion has no option hue",
    "+inverter.fit.epochs=1": "inverter.fit.epochs: Lightning's trainer has no option epochs",
    "+trainer.hue=1": "trainer.hue: make_trainer has no option hue",
    "inverter.system.scheduler.factor=half": "inverter.system.scheduler.factor=half: expected a number",
    "controls=[noise]": "controls=['noise']: expected some of random, random_blocks, energy",
}


@pytest.fixture(scope="module", autouse=True)
def hydra():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def composed(*words, entry="evaluate"):
    return compose(entry, ["paths.run=run", *words])


@pytest.mark.parametrize("override, expected", [*KINDS.items(), *RANGES.items()])
def test_wrong_types_and_ranges_are_refused_by_the_key_that_the_user_sets(override, expected):
    with pytest.raises(ConfigError) as error:
        validate_config(composed(override))
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
def test_keys_of_explain_are_checked(override, expected):
    with pytest.raises(ConfigError, match=f"^{override}: expected {expected}$"):
        validate_config(composed(override, entry="explain"))


COMPARE = {  # override → message
    "compare.methods.random.seed=x": "compare.methods.random.seed=x: expected a whole number",
    "compare.methods.random.fill=3": "compare.methods.random.fill=3: expected mean, zero, floor or excerpt-mean",
    "compare.methods.random.fill=most": "compare.methods.random.fill=most: expected mean, zero, floor or excerpt-mean",
    "compare.methods.inversion.threshold=2": "compare.methods.inversion.threshold=2: expected 0 to 1.1",
    "compare.equal_area.fills=mean": "compare.equal_area.fills=mean: expected [mean, zero, floor or excerpt-mean, …]",
    "compare.equal_area.fills=[]": "compare.equal_area.fills=[]: expected one or more different fills",
    "compare.equal_area.fills=[mean,mean]": "compare.equal_area.fills=[mean,mean]: expected one or more different",
    "compare.equal_area.areas=[0.2,0.1]": "compare.equal_area.areas=[0.2,0.1]: expected ascending shares",
    "compare.sanity.n=0": "compare.sanity.n=0: expected 1 or more",
    "compare.sanity.draws=0": "compare.sanity.draws=0: expected 1 or more",
    "compare.sanity.retrain=1": "compare.sanity.retrain=1: expected true or false",
    "compare.sanity.best=0": "compare.sanity.best=0: expected more than 0, up to 1",
    "compare.cost.seconds=-1": "compare.cost.seconds=-1: expected more than 0",
    "compare.shown=x": "compare.shown=x: expected a number",
    "layer=mp6": "layer=mp6: explainer=contrast needs fc8",
    "compare.methods.slime.rows=1 compare.methods.slime.columns=1": "explainer.rows=1 columns=1 segments=blocks: one",
}


@pytest.mark.parametrize("override, message", COMPARE.items())
def test_invalid_options_of_a_comparison_are_refused(override, message):
    with pytest.raises(ConfigError) as error:
        validate_config(composed("experiment=compare", *override.split()))
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("override, message", CONSTRUCTORS.items())
def test_invalid_options_of_constructors_are_refused_before_any_is_called(override, message):
    with pytest.raises(SvdxError) as error:
        validate_config(composed(*override.split()))
    assert message in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("entry", ["train", "evaluate", "explain"])
@pytest.mark.parametrize("data", ["folder", "jamendo", "rwc", "stems", "synthetic"])
def test_the_shipped_configurations_are_valid(entry, data):
    for experiment in ("eusipco2018", "released_code"):
        validate_config(
            composed(f"data={data}", f"experiment={experiment}", "data.root=2024", "logger=wandb", entry=entry)
        )


AREA = "threshold=area"
CHOICES = {  # overrides → message
    (AREA, "explainer.area=1.5"): "explainer.area=1.5: expected 0 to 1",
    (AREA, "explainer.area=x"): "explainer.area=x: expected a number",
    (AREA, "explainer.threshold=0.5"): "explainer.threshold=0.5: a number is for threshold=fixed",
    ("explainer.threshold=0.5", "explainer.area=0.2"): "explainer.threshold=0.5 and explainer.area=0.2: give one",
    ("threshold=reconstruction_error", "explainer.error=2"): "explainer.error=2: expected 0 to 1",
    ("threshold=reconstruction_error", "explainer.step=0"): "explainer.step=0: expected more than 0",
}


@pytest.mark.parametrize("overrides, message", CHOICES.items())
def test_invalid_choices_of_a_threshold_are_refused(overrides, message):
    with pytest.raises(ConfigError) as error:
        validate_config(composed(*overrides))
    assert message in str(error.value) and "\n" not in str(error.value)


def test_reconstruction_error_is_refused_for_whole_tracks():
    cfg = composed("threshold=reconstruction_error", "start=all", entry="explain")
    with pytest.raises(ConfigError, match="does not support whole tracks"):
        validate_config(cfg)


@pytest.mark.parametrize("entry", ["train", "evaluate", "explain"])
@pytest.mark.parametrize("explainer", ["inversion", "random"])
def test_the_explainer_gets_the_chosen_threshold(entry, explainer):
    chosen = {AREA: Area(0.25), "threshold=otsu": Otsu(), "threshold=fixed": 0.5}
    chosen["threshold=reconstruction_error"] = ReconstructionError(0.5, 0.02)
    for word, expected in chosen.items():
        more = {AREA: ["explainer.area=0.25"], "threshold=fixed": ["explainer.threshold=0.5"]}.get(word, [])
        cfg = composed(word, *more, f"explainer={explainer}", entry=entry)
        validate_config(cfg)
        parts = dict.fromkeys(parts_needed(cfg.explainer))
        found = build_explainer(cfg.explainer, classifier=nn.Identity(), **parts)
        assert found.threshold == expected and found.name == explainer
        assert build_explainer(cfg.explainer, classifier=nn.Identity(), threshold=0.3, **parts).threshold == 0.3


def test_missing_files_are_named():
    for key in ("classifier.weights", "classifier.standardisation", "inverter.weights"):
        with pytest.raises(SvdxError, match=r"nope\.npz: no such file"):
            validate_config(composed(f"{key}=nope.npz"))
