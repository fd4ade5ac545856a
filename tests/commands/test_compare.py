"""`evaluate.py experiment=compare`, as a person types it, and what it writes."""

import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from matplotlib.figure import Figure

from svdx.app.overrides import changed_options, ignored, options_line
from svdx.app.settings import check
from svdx.commands import compare as comparing
from svdx.commands.compare import conclude, expect_sense, warnings, write
from svdx.comparison.power import without_stars
from svdx.comparison.records import Study
from svdx.comparison.results import COLUMNS, Found, rows
from svdx.comparison.table import _cheap, _section
from svdx.errors import ConfigError
from svdx.report.comparison_figures import equal_area_figure, excerpts_figure
from tests.app.test_configs import CONF

FILES = ("compare.csv", "compare.md", "compare.html", "compare.png", "compare_excerpts.png", "compare.npz")
KEPT = ("inversion", "random", "energy")
CHEAP = ("compare.sanity.n=2", "compare.sanity.layers=[fc9,conv1]", "compare.cost.seconds=0.01", "excerpts.n=4")


def words(*more):
    """Of a command with three methods, whatever others are configured."""
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
    assert "Options that differ from conf/explainer (there): random seed=3 (${seed})." in table
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
def test_weights_and_biases_is_shown_the_same(compared):
    (run,) = (compared[0] / "wandb").glob("offline-run-*")
    assert len(list(run.glob("files/media/images/compare/figures*.png"))) == 2
    assert list(run.glob("files/media/table/compare/rows*"))


@pytest.mark.slow
def test_inverters_are_trained_for_the_classifiers_that_forgot(shell, untrained):
    few = ("compare.sanity.retrain=true", "compare.sanity.epochs=1", "+inverter.fit.limit_train_batches=1")
    directory, _ = shell("retrained", "evaluate.py", *untrained, *words(*few, "inverter.excerpts.batch_size=4"))
    with (directory / "compare.csv").open(newline="") as file:
        found = {(row["method"], row["metric"]) for row in csv.DictReader(file)}
    assert ("inversion", "retrained_spearman/conv1") in found and ("energy", "retrained_spearman/conv1") not in found


def config(*more):
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("evaluate", ["experiment=compare", "paths.run=run", *more])


def test_options_are_said_where_they_differ_from_the_methods_own_file():
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
    assert options_line(changed).endswith("kernel_shap samples=300 (2000); rough rows=3 (6).")
    own = changed_options(methods, {})["rough"]  # of no file: all that it was asked
    assert "samples=2000" in own and "rows=3" in own and "fill=mean" in own


@pytest.mark.parametrize(
    "override, said",
    [
        ("trainer.accelerator=cpu trainer.devices=2 trainer.strategy=ddp", "one device: give trainer.gpus=0 or 1"),
        ("compare.shown=0.12", "compare.shown=0.12: expected one of"),
        ("compare.methods=null", "none is left"),
        ("+compare.areas=[0.1]", "compare.areas: no such key; expected methods, shown, equal_area, sanity, cost"),
    ],
)
def test_what_cannot_be_compared_is_one_line(override, said):
    with pytest.raises(ConfigError, match=said) as error:
        expect_sense(config(*override.split()))
    assert "\n" not in str(error.value)


def test_no_more_bins_than_all_can_be_the_best():
    with pytest.raises(ConfigError, match=r"compare.sanity.best=1.5: expected 0 to 1"):
        check(config("compare.sanity.best=1.5"))


@pytest.fixture
def study():
    """Seven excerpts of four tracks, two methods, three areas."""
    draw = np.random.default_rng(0)
    n, areas, fills = 7, np.array([0.01, 0.1, 0.5]), ["mean", "floor"]
    localised = {
        name: np.full(n, np.nan) for name in ("voice_iou", "pointing_game", "relevance_mass", "relevance_rank")
    }
    localised |= {name: np.full((3, n), np.nan) for name in ("voice_share", "voice_enrichment")}
    methods = {
        name: {
            "kept": draw.random((2, 3, n)) > 0.5,
            "removed": draw.random((2, 3, n)) > 0.5,
            "regions": np.ones((3, n)),
            "largest_region": np.ones((3, n)),
            "forwards": np.ones(n),
            "backwards": np.zeros(n),
            "seconds_of_batch": np.array([[4, 2.0], [3, 9.0]]),
            "seconds_alone": np.array([1.0, 3.0]),
            "seconds_first": np.array(7.0),
            "picture": draw.random((2, 115, 80)),
            "rank": draw.permuted(np.tile(np.arange(9200), (2, 1)), axis=1).reshape(2, 115, 80),
            **localised,
        }
        for name in ("inversion", "random")
    }
    vocal = np.arange(n) % 2 == 0
    return Study(
        fills=fills,
        areas=areas,
        names=list("abcd"),
        track=np.arange(n) // 2,
        start=np.arange(n),
        probability=vocal * 0.8,
        vocal=vocal,
        nothing=np.zeros((2, n), bool),
        localised=np.zeros(n, bool),
        voice_ratio=np.full(n, np.nan),
        shown=np.array([0, 6]),
        logmel=draw.random((2, 115, 80)),
        methods=methods,
    )


def test_seconds_are_an_excerpts_and_of_the_fullest_batches(study):
    found = Found(rows(study, 50))
    assert found.value("random", "seconds_batch_4_median") == 0.5
    assert found.value("random", "seconds_batch_1_median") == 2
    assert found.value("random", "first_seconds") == 7


def test_a_percentile_needs_twenty_timings_and_their_number_is_written(study):
    study.methods["random"]["seconds_alone"] = np.arange(20.0)
    study.methods["inversion"]["seconds_alone"] = np.arange(19.0)
    found = Found(rows(study, 50))
    assert found("random", "seconds_batch_1_p95")["n"] == 20 and found("inversion", "seconds_batch_1_p95") is None
    assert found("inversion", "seconds_batch_1_median")["n"] == 19
    assert found("random", "seconds_batch_4_median")["n"] == 1 and found("random", "forwards")["n"] == 7
    heads, lines = (getattr(_section(found, *_cheap(found)), name) for name in ("heads", "lines"))
    place = heads.index("batch 1, 95 % (s) ↓")
    assert (lines["inversion"][place].text, lines["random"][place].text) == ("–", "18.1")


def test_the_curves_drawn_are_those_of_the_rows(study):
    found = Found(rows(study, 50))
    figure = equal_area_figure(found, study)
    panels = [axes for axes in figure.axes if axes.lines]
    assert len(panels) == 4 and all(axes.get_xscale() == "log" for axes in panels)
    (inversion, chance, nothing) = panels[3].lines
    expected = [found.value("random", "deletion_percent", "floor", area, "balanced") for area in study.areas]
    assert chance.get_ydata().tolist() == expected and chance.get_color() == "black"
    assert inversion.get_label() == "inversion"
    assert nothing.get_label() == "empty mask" and set(nothing.get_ydata()) == {50.0}  # nobody sings: half is lost


def test_the_sheet_has_a_row_a_method_and_a_column_an_excerpt(study, frontend):
    figure = excerpts_figure(study, frontend, 0.25)
    assert "the best 25 %" in figure.get_suptitle()
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["input", "inversion", "random"]
    shown = figure.axes[2].images[0].get_array()
    score = study.methods["inversion"]["picture"][0].T
    assert (np.argsort(shown.ravel()) == np.argsort(score.ravel())).all()  # brighter where the score is greater
    assert "d\n" in figure.axes[1].get_title()


def test_the_page_outlines_the_area_that_is_shown(study, tmp_path, frontend, monkeypatch):
    cfg = config("compare.shown=0.2")
    cfg.paths.run = str(tmp_path)
    given = []
    monkeypatch.setattr(comparing, "excerpts_figure", lambda *of: given.append(of[-1]) or Figure())
    pipeline = SimpleNamespace(cfg=cfg, directory=tmp_path, frontend=frontend, used={})
    study.areas = np.array([0.01, 0.2, 0.5])
    write(pipeline, study, conclude(cfg, study, {}), {}, tmp_path)
    assert given == [0.2]
    assert "for 2 excerpts, the best 20 % of the bins" in (tmp_path / "compare.html").read_text()


def test_warnings_are_those_that_apply(study, monkeypatch):
    few, word = "4 tracks", "compare.methods.slime.samples=100"
    assert [few in text for text in warnings(config(), study)] == [False, False, True, True]
    assert any("chosen" in text for text in warnings(config("compare.shown=0.2"), study))
    assert not any("chosen" in text for text in warnings(config("compare.shown=0.2", "excerpts.split=valid"), study))
    monkeypatch.setattr(comparing, "typed", lambda: [word])
    assert any(word in text and "chosen" in text for text in warnings(config(word), study))
    assert not any("chosen" in text for text in warnings(config(word, "excerpts.split=valid"), study))
    assert any("training tracks" in text for text in warnings(config("excerpts.split=train"), study))


def test_columns_in_which_no_star_is_possible_are_named(study):
    """Two methods differ at 2 ** (1 - T) at the least: 0.125 with four tracks, 0.03 with six."""
    kinds = ("of all excerpts", "of the voice", "of sanity")

    def named(**more):
        said = without_stars(replace(study, track=np.arange(7), **more))
        return [kind for kind in kinds if any(f"columns {kind}: " in text for text in said)]

    assert "with 4 tracks and 2 methods the least p is 0.12." in without_stars(study)[0]
    assert named() == []
    assert named(localised=np.arange(7) < 5) == ["of the voice"]
    few = {"deterministic": np.where(np.arange(7) < 2, 1.0, np.nan)}
    assert named(methods={name: found | few for name, found in study.methods.items()}) == ["of sanity"]
    many = {**study.methods, **{f"m{number}": study.methods["random"] for number in range(5)}}
    assert named(methods=many) == ["of all excerpts"]
    assert named(methods={name: many[name] for name in many if name != "inversion"}) == []


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
def test_what_the_bench_has_its_own_of_is_refused(word, refused, monkeypatch):
    monkeypatch.setattr("svdx.app.overrides.overrides", lambda: [word])
    assert ignored() == [word] * refused
    if refused:
        with pytest.raises(ConfigError, match="has no part in experiment=compare"):
            expect_sense(config())
