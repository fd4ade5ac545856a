"""`evaluate.py experiment=compare`, run from the shell, and the files it writes."""

import csv
import json

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from matplotlib.figure import Figure

from svdx.app.overrides import changed_options, describe_options, ineffective_overrides
from svdx.app.validation import validate_config
from svdx.commands import compare as comparing
from svdx.commands.compare import check_comparison, conclude, write
from svdx.comparison.results import COLUMNS
from svdx.errors import ConfigError
from tests.app.test_configs import CONF
from tests.support.study import small_study

FILES = ("compare.csv", "compare.md", "compare.html", "compare.png", "compare_excerpts.png", "compare.npz")
KEPT = ("inversion", "random", "energy")
CHEAP = ("compare.sanity.n=2", "compare.sanity.layers=[fc9,conv1]", "compare.cost.seconds=0.01", "excerpts.n=4")


def words(*more):
    """Overrides that keep three of the configured methods."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        methods = compose("evaluate", ["experiment=compare", "paths.run=run"]).compare.methods
    return ["experiment=compare", *(f"~compare.methods.{name}" for name in methods if name not in KEPT), *CHEAP, *more]


@pytest.fixture(scope="module")
def compared(shell, untrained):
    return shell("compare", "evaluate.py", *untrained, *words("logger=wandb", "compare.methods.random.seed=3"))


@pytest.mark.slow
def test_a_comparison_writes_tables_figures_and_records(compared):
    directory, done = compared
    assert all((directory / name).is_file() for name in FILES) and not list(directory.rglob("*.part"))
    with (directory / "compare.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert tuple(found[0]) == COLUMNS and {row["method"] for row in found} == {*KEPT, "empty mask"}
    assert {row["fill"] for row in found} == {"mean", "excerpt-mean", "floor", ""}
    page, table = ((directory / f"compare.{kind}").read_text() for kind in ("html", "md"))
    for name in KEPT:
        assert f"| {name} |" in table and f"<th>{name}</th>" in page
    assert "Options that differ from conf/explainer (defaults in parentheses): random seed=3 (${seed})." in table
    changed = next(line for line in page.splitlines() if "fixed beforehand" in line)
    assert "compare.methods.random.seed=3. If" in changed and "~compare.methods.slime" in changed
    assert "4 excerpts of 1 tracks" in table and "Never rank by E_loss alone" in page
    assert "Never rank by E_loss alone" in done.stdout
    for written, title in ((page, "<h2>"), (table, "## ")):
        assert 0 < written.index(f"{title}Read this first") < written.index(f"{title}Faithfulness at equal area")
    summary = json.loads((directory / "summary.json").read_text())
    assert (
        summary["n_excerpts"] == 4
        and summary["energy/forwards"] == 0
        and "No star is possible" in " ".join(summary["warnings"])
    )
    with np.load(directory / "compare.npz", allow_pickle=False) as arrays:
        assert arrays["inversion/kept"].shape == (3, 10, 4)


@pytest.mark.slow
def test_wandb_gets_rows_and_figures(compared):
    (run,) = (compared[0] / "wandb").glob("offline-run-*")
    assert len(list(run.glob("files/media/images/compare/figures*.png"))) == 2
    assert list(run.glob("files/media/table/compare/rows*"))


@pytest.mark.slow
def test_inverters_are_retrained_for_the_shuffled_classifiers(shell, untrained):
    few = ("compare.sanity.retrain=true", "compare.sanity.epochs=1", "+inverter.fit.limit_train_batches=1")
    directory, _ = shell("retrained", "evaluate.py", *untrained, *words(*few, "inverter.excerpts.batch_size=4"))
    with (directory / "compare.csv").open(newline="") as file:
        found = {(row["method"], row["metric"]) for row in csv.DictReader(file)}
    assert ("inversion", "retrained_spearman/conv1") in found and ("energy", "retrained_spearman/conv1") not in found


def config(*more):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("evaluate", ["experiment=compare", "paths.run=run", *more])


def test_page_lists_options_that_differ_from_the_methods_file():
    words = (
        "+explainer@compare.methods.rough=slime",
        "compare.methods.rough.rows=3",
        "compare.methods.slime.fill=zero",
    )
    with initialize_config_dir(str(CONF), version_base="1.3"):
        methods = compose("evaluate", ["experiment=compare", "paths.run=run", "seed=4", *words]).compare.methods
        files = {**{name: name for name in methods}, "rough": "slime"}
        changed = changed_options(methods, files)
    assert changed == {
        "slime": ["fill=zero (mean)", "samples=300 (2000)"],
        "kernel_shap": ["samples=300 (2000)"],
        "rough": ["rows=3 (6)"],
    }
    assert describe_options(changed).endswith("kernel_shap samples=300 (2000); rough rows=3 (6).")
    own = changed_options(methods, {})["rough"]  # of no file: all its options
    assert "samples=2000" in own and "rows=3" in own and "fill=mean" in own


@pytest.mark.parametrize(
    "override, message",
    [
        ("trainer.accelerator=cpu trainer.devices=2 trainer.strategy=ddp", "one device: give trainer.gpus=0 or 1"),
        ("compare.shown=0.12", "compare.shown=0.12: expected one of"),
        ("compare.methods=null", "none is left"),
        ("+compare.areas=[0.1]", "compare.areas: no such key; expected methods, shown, equal_area, sanity, cost"),
    ],
)
def test_invalid_comparisons_are_refused_in_one_line(override, message):
    with pytest.raises(ConfigError, match=message) as error:
        check_comparison(config(*override.split()))
    assert "\n" not in str(error.value)


def test_share_of_best_bins_is_at_most_1():
    with pytest.raises(ConfigError, match=r"compare.sanity.best=1.5: expected more than 0, up to 1"):
        validate_config(config("compare.sanity.best=1.5"))


def test_the_page_outlines_the_area_that_is_shown(tmp_path, frontend, monkeypatch):
    cfg = config("compare.shown=0.2")
    cfg.paths.run = str(tmp_path)
    outlined = []
    monkeypatch.setattr(comparing, "excerpts_figure", lambda *of: outlined.append(of[-1]) or Figure())
    study = small_study()
    study.areas = np.array([0.01, 0.2, 0.5])
    write(cfg, conclude(cfg, study, {}), frontend, {}, tmp_path)
    assert outlined == [0.2]
    assert "for 2 excerpts, the best 20 % of the bins" in (tmp_path / "compare.html").read_text()


def test_a_change_of_the_fixed_options_is_a_warning(monkeypatch):
    def warned(*words):
        return any("optimistic" in text for text in conclude(config(*words), small_study(), {}).warnings)

    assert not warned() and warned("compare.shown=0.5") and not warned("compare.shown=0.5", "excerpts.split=valid")
    monkeypatch.setattr(comparing, "comparison_overrides", lambda: ["compare.methods.slime.samples=100"])
    assert warned() and not warned("excerpts.split=valid")


@pytest.mark.parametrize(
    "word, refused",
    [
        ("explainer.fill=zero", True),
        ("explainer=saliency", True),
        ("threshold=otsu", True),
        ("thresholds=[0.5]", True),
        ("controls=[]", True),
        ("agreement=true", True),
        ("compare.methods.slime.keep=complement", True),
        ("compare.methods.slime.samples=100", False),
        ("+explainer@compare.methods.bands=slime", False),
        ("classifier.threshold=0.5", False),
    ],
)
def test_options_without_effect_are_refused(word, refused, monkeypatch):
    monkeypatch.setattr("svdx.app.overrides.overrides", lambda: [word])
    assert ineffective_overrides() == [word] * refused
    if refused:
        with pytest.raises(ConfigError, match="has no effect with experiment=compare"):
            check_comparison(config())
