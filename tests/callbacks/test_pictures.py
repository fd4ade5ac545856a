"""What a run shows: the files beside it, and what W&B recorded of them, read back from its offline file."""

import copy
import csv
import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytorch_lightning as pl
import soundfile
import torch
import wandb
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf
from pytorch_lightning.demos.boring_classes import BoringModel
from pytorch_lightning.loggers import CSVLogger, WandbLogger
from torch.optim.lr_scheduler import ReduceLROnPlateau

from svdx.app.cli import command
from svdx.app.loggers import labels
from svdx.audio import reading as audio
from svdx.audio.masking import masked_sound
from svdx.callbacks import (
    EpochLines,
    ExplainValidation,
    LearningRate,
    explain_examples,
    log_evaluation,
    shown_threshold,
)
from svdx.callbacks.pictures import wandb_charts
from svdx.data.datamodule import ExcerptsData
from svdx.data.excerpts import spread
from svdx.evaluation.curve import is_nan, read_curve, write_curve
from svdx.evaluation.evaluator import Evaluator
from svdx.explanation import Area, FeatureInversion, Otsu
from svdx.explanation.audio_explainer import AudioExplainer
from svdx.explanation.methods.controls import make_controls
from svdx.explanation.recording import excerpt_span
from svdx.models import UpConv
from svdx.report.curve_figure import curve_figure
from svdx.training.inverter import Inverter
from tests.support.command_line import Shell
from tests.support.processes import on_two
from tests.support.wandb_file import read

ROOT = Path(__file__).parent.parent.parent
LOSS, AREA = "explanation_loss_percent", "relative_area_percent"
QUIET = dict(enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, enable_checkpointing=False)
HALVED = dict(factor=0.5, patience=0, threshold=1e9, threshold_mode="abs")  # after every epoch but the first


def offline(directory):
    """The loggers of logger=wandb."""
    return [CSVLogger(directory, name="", version=""), WandbLogger(project="p", save_dir=directory, mode="offline")]


def data_of(corpus, store, **options):
    return ExcerptsData(corpus, store, batch_size=4, hop=40, valid_hop=20, features="cached", **options)


def undecided(classifier, excerpts):
    """A classifier of one's own that calls half of the excerpts singing."""
    classifier = copy.deepcopy(classifier)
    logmel = excerpts[range(len(excerpts))]["logmel"]
    classifier.threshold.copy_(classifier(classifier.standardise(logmel)).median())
    return classifier


def fit(classifier, data, directory, loggers, n_epochs):
    torch.manual_seed(0)
    scheduler = partial(ReduceLROnPlateau, **HALVED)
    system = Inverter(UpConv(8), classifier, partial(torch.optim.Adam, lr=1e-3), scheduler, l2=1e-4)
    pictures = ExplainValidation(n=6, pictures=3, thresholds=(0.3, 1))
    callbacks = [pictures, LearningRate()] if loggers else [pictures]
    options = dict(default_root_dir=directory, **QUIET)
    trainer = pl.Trainer(accelerator="cpu", max_epochs=n_epochs, logger=loggers, callbacks=callbacks, **options)
    trainer.fit(system, datamodule=data)
    return system


@pytest.fixture(scope="module")
def trained(tmp_path_factory, _classifier, tiny_corpus, tiny_store):
    """An inverter of three epochs with W&B: its directory, what W&B recorded, and the inverter itself."""
    directory, data = tmp_path_factory.mktemp("trained"), data_of(tiny_corpus, tiny_store)
    data.setup("fit")
    system = fit(undecided(_classifier, data.valid_set), data, directory, offline(directory), 3)
    wandb.finish()
    return directory, read(directory), system.eval()


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, _classifier, tiny_corpus, tiny_store):
    """An evaluation with W&B: its directory, what W&B recorded, its rows, and its explainer."""
    directory, data = tmp_path_factory.mktemp("evaluated"), data_of(tiny_corpus, tiny_store, sampling="random", n=7)
    thresholds, loggers = [0.2, 0.5, 1.1], offline(directory)
    torch.manual_seed(0)
    data.setup("test")
    classifier, inverter = undecided(_classifier, data.test_set), UpConv(8).eval()
    explainer = FeatureInversion(classifier, inverter, threshold=shown_threshold(thresholds))
    evaluator = Evaluator(explainer, thresholds, make_controls(["random"], classifier, 0))
    trainer = pl.Trainer(accelerator="cpu", logger=loggers, **QUIET)
    scores = trainer.test(evaluator, datamodule=data, verbose=False)[0] | {"detection/f1": 0.75}
    rows, agreement = evaluator.rows("folder", "test"), [{"threshold": 0.2, "faithfulness": 0.5}]
    write_curve(rows, directory / "curve.csv")
    curve_figure(rows).savefig(directory / "curve.png")
    explain_examples(explainer, data.test_set, loggers, tiny_store.frontend, directory / "explanations", n=3)
    log_evaluation(loggers, rows, agreement, scores, directory / "curve.png")
    wandb.finish()
    return directory, read(directory), rows, explainer


def logged(run, key):
    """What was recorded under a key, one for each row of the history that has it."""
    return [row[key] for row in run.history if key in row]


def media(run, paths):
    """The contents of recorded files; fails where one is not there."""
    return [(run.files / path).read_bytes() for path in paths]


def points(run, key, number=-1):
    """The points of a recorded line chart, [threshold, line, value]; the chart itself must be there."""
    panel = run.config["_wandb"]["visualize"][key]
    assert panel["panel_config"]["panelDefId"] == "wandb/lineseries/v0"
    (query,) = panel["panel_config"]["userQuery"]["queryFields"][0]["fields"][-1]["args"]
    assert query["value"] == f"{key}_table"
    (content,) = media(run, [logged(run, f"{key}_table")[number]["path"]])
    return json.loads(content)["data"]


def test_shown_excerpts_are_spread_from_first_to_last():
    assert spread(9, 3).tolist() == [0, 4, 8]
    assert spread(2, 3).tolist() == [0, 1]


def test_the_shown_threshold_is_that_of_the_paper_or_the_nearest():
    assert shown_threshold([0.0, 0.6, 1.1]) == 0.6
    assert shown_threshold([0.1, 0.4]) == 0.4


def test_the_shown_area_is_the_default_one_or_the_nearest():
    assert shown_threshold([Area(0.01), Area(0.1), Area(0.7)]) == Area(0.1)
    assert shown_threshold([Area(0.05), Area(0.5)]) == Area(0.05)
    assert shown_threshold([Area(0.7)]) == Area(0.7) and shown_threshold([Otsu()]) == Otsu()


def test_a_curve_over_areas_is_charted_over_the_area(evaluated):
    _, _, rows, _ = evaluated
    assert list(wandb_charts("curve", rows)) == ["curve/explanation_loss", "curve/relative_area"]
    over_areas = wandb_charts("curve", [row | {"asked_area_percent": row["relative_area_percent"]} for row in rows])
    assert list(over_areas) == ["curve/explanation_loss", "curve/threshold"]
    shown = {(x, y) for x, _, y in over_areas["curve/threshold"].table.data}
    assert shown == {(row["relative_area_percent"], row["threshold"]) for row in rows[: len(rows) // 2]}
    assert over_areas["curve/threshold"].spec.string_fields["xname"] == "relative area (%)"


def test_every_validation_shows_the_same_excerpts_in_files_and_on_wandb(trained):
    directory, run, _ = trained
    shown = logged(run, "explanations")
    assert len(shown) == 3
    for epoch, images in enumerate(shown, 1):
        files = sorted((directory / f"explanations/epoch-{epoch:03d}").glob("excerpt-*.png"))
        assert [file.stem for file in files] == ["excerpt-00000", "excerpt-00003", "excerpt-00008"]
        assert media(run, images["filenames"]) == [file.read_bytes() for file in files]
        assert images["captions"] == [f"valid0, from {20 * n * 315 / 22050:.2f} s" for n in (0, 3, 8)]
    assert media(run, shown[0]["filenames"]) != media(run, shown[2]["filenames"])


def test_the_validation_curve_is_that_of_the_sample(trained, tiny_corpus, tiny_store):
    directory, _, system = trained
    rows = read_curve(directory / "explanations/epoch-003/curve.csv")
    data = data_of(tiny_corpus, tiny_store)
    data.setup("fit")
    sample = data.valid_set[[0, 1, 3, 4, 6, 8]]["logmel"]
    assert [(row["threshold"], row["data"], row["split"], row["n"]) for row in rows] == [
        (threshold, "folder", "valid", 6) for threshold in (0.3, 0.6, 1.0)
    ]
    assert any(row["flips"] for row in rows)
    for row in rows:
        explainer = FeatureInversion(system.classifier, system.network, threshold=row["threshold"])
        explanation = explainer(system.classifier.standardise(sample))
        assert row["flips"] == explanation.flipped.sum()
        assert row[AREA] == pytest.approx(100 * explanation.area.mean().item())
    assert (directory / "explanations/epoch-003/curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_validation_curve_is_a_line_chart_of_every_validation(trained):
    directory, run, _ = trained
    for epoch in (1, 2, 3):
        rows = read_curve(directory / f"explanations/epoch-{epoch:03d}/curve.csv")
        for chart, column in (("explanation_loss", LOSS), ("relative_area", AREA)):
            expected = [[row["threshold"], "inversion", row[column]] for row in rows]
            assert points(run, f"validation_curve/{chart}", epoch - 1) == expected
    assert len(logged(run, "validation_curve/relative_area_table")) == 3


def test_losses_and_learning_rate_are_in_the_csv_and_on_wandb(trained):
    directory, run, _ = trained
    with (directory / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    shown = [read_curve(directory / f"explanations/epoch-00{n}/curve.csv")[1] for n in (1, 2, 3)]
    assert {row["epoch"] for row in rows} == {"0", "1", "2"}
    for key in ("train/mse", "train/cost", "train/learning_rate", "valid/mse", f"valid/{LOSS}", f"valid/{AREA}"):
        beside = [float(row[key]) for row in rows if row[key]]
        assert len(beside) == 3
        assert logged(run, key) == pytest.approx(beside)
    assert logged(run, "train/learning_rate") == pytest.approx([1e-3, 1e-3, 5e-4])
    for column in (LOSS, "balanced_loss_percent", "n_vocal", "flips_vocal", "n_nonvocal", "flips_nonvocal", AREA):
        assert logged(run, f"valid/{column}") == pytest.approx([row[column] for row in shown])


def test_the_loss_of_the_empty_mask_is_logged_with_the_loss(trained, tiny_corpus, tiny_store):
    _, run, system = trained
    data = data_of(tiny_corpus, tiny_store)
    data.setup("fit")
    sample = system.classifier.standardise(data.valid_set[[0, 1, 3, 4, 6, 8]]["logmel"])
    before, after = (system.classifier(x) > system.classifier.threshold for x in (sample, torch.zeros(1, 115, 80)))
    assert 0 < before.sum() < 6
    assert logged(run, f"valid/empty_mask/{LOSS}") == pytest.approx([100 * (before != after).float().mean().item()] * 3)
    assert logged(run, "valid/empty_mask/balanced_loss_percent") == [50] * 3


def test_more_processes_than_excerpts_are_sampled(classifier, tiny_corpus, tiny_store, tmp_path):
    """One excerpt and two processes: the second has nothing to hear, and both log what the first one heard."""
    data, logged = data_of(tiny_corpus, tiny_store), {}
    data.setup("fit")
    module = SimpleNamespace(classifier=classifier, network=UpConv(8).eval(), device=torch.device("cpu"))
    module.log_dict = lambda numbers, sync_dist: logged.update(numbers)
    trainer = dict(sanity_checking=False, world_size=2, datamodule=data, current_epoch=0, global_step=1, loggers=[])
    trainer["default_root_dir"] = tmp_path

    def explain(rank):
        mine = SimpleNamespace(**trainer, global_rank=rank, is_global_zero=rank == 0)
        ExplainValidation(n=1).on_validation_epoch_end(mine, module)
        return logged

    first, second = on_two(explain, tmp_path)
    assert first["valid/n_vocal"] + first["valid/n_nonvocal"] == 1
    assert second == pytest.approx(first, nan_ok=True)
    assert read_curve(tmp_path / "explanations/epoch-001/curve.csv")[0]["n"] == 1


def test_the_learning_rate_is_that_of_the_epoch_whatever_the_scheduler(make_trainer, tmp_path):
    logger = CSVLogger(tmp_path, name="", version="")
    trainer = make_trainer(max_epochs=3, limit_train_batches=1, logger=logger, callbacks=[LearningRate()])
    trainer.fit(BoringModel())  # a tenth after each epoch
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rates = [float(row["train/learning_rate"]) for row in csv.DictReader(file) if row["train/learning_rate"]]
    assert rates == pytest.approx([0.1, 0.01, 0.001])


def test_the_log_does_not_repeat_an_earlier_validation(make_trainer, caplog):
    class Validated(BoringModel):
        def training_step(self, batch, number):
            self.log("train/loss", 1.0)
            return super().training_step(batch, number)

        def validation_step(self, batch, number):
            self.log("valid/loss", 2.0)

    caplog.set_level("INFO")
    make_trainer(max_epochs=2, check_val_every_n_epoch=2, callbacks=[EpochLines()]).fit(Validated())
    first, second = (line for line in caplog.messages if line.startswith("validated epoch"))
    assert first == "validated epoch 1/2: train/loss 1"
    assert second == "validated epoch 2/2: train/loss 1, valid/loss 2"


def test_pictures_are_logged_at_the_step_of_the_validation(trained):
    _, run, _ = trained
    steps = [[row["trainer/global_step"] for row in run.history if key in row] for key in ("explanations", "valid/mse")]
    assert steps[0] == steps[1] and len(set(steps[0])) == 3


@pytest.mark.parametrize("logs", [False, True])
def test_the_files_are_written_without_wandb(logs, classifier, tiny_corpus, tiny_store, tmp_path):
    loggers = [CSVLogger(tmp_path, name="", version="")] if logs else False
    fit(classifier, data_of(tiny_corpus, tiny_store), tmp_path, loggers, 1)
    assert len(list(tmp_path.glob("explanations/epoch-001/excerpt-*.png"))) == 3
    assert len(read_curve(tmp_path / "explanations/epoch-001/curve.csv")) == 3
    assert not (tmp_path / "wandb").exists() and (tmp_path / "metrics.csv").exists() == logs


def test_evaluated_curves_are_line_charts_tables_and_a_figure(evaluated):
    directory, run, rows, _ = evaluated
    assert [row["explainer"] for row in rows] == ["inversion"] * 3 + ["random"] * 3
    losses = [[row["threshold"], row["explainer"], row[LOSS]] for row in rows]
    assert losses[2][2] > 0
    assert points(run, "curve/explanation_loss") == losses
    assert points(run, "curve/relative_area") == [[row["threshold"], "inversion", row[AREA]] for row in rows[:3]]
    (content,) = media(run, [logged(run, "curve/rows")[0]["path"]])
    table = json.loads(content)
    shown = [{name: None if is_nan(value) else value for name, value in row.items()} for row in rows]
    assert [dict(zip(table["columns"], row, strict=True)) for row in table["data"]] == shown
    assert shown[0]["ci_low"] is None  # of one track
    (content,) = media(run, [logged(run, "agreement/rows")[0]["path"]])
    assert json.loads(content)["data"] == [[0.2, 0.5]]
    assert media(run, logged(run, "curve/figure")[0]["filenames"]) == [(directory / "curve.png").read_bytes()]


def test_evaluated_scalars_are_the_summary(evaluated):
    _, run, rows, _ = evaluated
    point = {name: value for name, value in rows[1].items() if isinstance(value, int | float) and not is_nan(value)}
    assert point["threshold"] == 0.5 and point["n"] == 7 and "ci_low" not in run.summary
    assert {name: run.summary[name] for name in point} == pytest.approx(point)
    assert run.summary["detection/f1"] == 0.75
    assert run.summary["classifier/accuracy"] == logged(run, "classifier/accuracy")[0]


def test_kept_parts_are_saved_and_logged_to_wandb(evaluated, tiny_corpus, frontend):
    directory, run, _, explainer = evaluated
    stems = [directory / f"explanations/excerpt-{number:05d}" for number in (0, 3, 6)]
    (heard,), (kept,) = logged(run, "sounds/excerpt"), logged(run, "sounds/kept")
    audio_explainer = AudioExplainer(frontend, explainer)
    for stem, caption in zip(stems, heard["captions"], strict=True):
        name, seconds = caption.removesuffix(" s").split(", from ")
        track = audio.read(tiny_corpus.root / f"audio/{name}.wav")
        span = excerpt_span(track.samples.shape[1], float(seconds), frontend, name)
        samples = track.samples[0, span]
        explanation = audio_explainer.explain_samples(samples)
        assert 0 < explanation.area < 1
        part = masked_sound(track.samples, explanation.mask[0].float(), frontend, span=span)[0]
        for end, expected in (("", samples), ("-kept", part)):
            written, rate = soundfile.read(f"{stem}{end}.wav")
            assert rate == 22050
            assert written == pytest.approx(expected.numpy(), abs=1e-6)
    for sounds, end in ((heard, ".wav"), (kept, "-kept.wav")):
        written = [Path(f"{stem}{end}").read_bytes() for stem in stems]
        assert media(run, [sound["path"] for sound in sounds["audio"]]) == written
    assert all(caption.endswith("threshold 0.5") for caption in kept["captions"])
    pictures = [stem.with_suffix(".png").read_bytes() for stem in stems]
    assert media(run, logged(run, "explanations")[0]["filenames"]) == pictures


@pytest.mark.parametrize("fails", [False, True])
def test_a_run_ends_with_the_exit_code_of_its_program(fails, tmp_path):
    def main(cfg):
        wandb.init(project="p", dir=tmp_path, mode="offline")
        if fails:
            raise RuntimeError("fails")

    try:
        command(main)({})
    except RuntimeError:
        assert fails
    assert wandb.run is None
    assert read(tmp_path).exit_code == int(fails)


@pytest.mark.parametrize("words, name", [([], "seed=2,explainer.fill=zero"), (["+logger.wandb.name=own"], None)])
def test_a_job_is_named_after_the_overrides_that_differ_unless_it_has_a_name(words, name, tmp_path, monkeypatch):
    everywhere = ["logger=wandb", "excerpts.n=6", *words]
    asked = {"hydra": {"overrides": {"task": [*everywhere, "seed=1,2", "explainer.fill=zero,floor"]}}}
    OmegaConf.save(asked, tmp_path / "multirun.yaml")
    overrides = [*everywhere, "seed=2", "explainer.fill=zero", f"hydra.sweep.dir={tmp_path}", "hydra.mode=MULTIRUN"]
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        cfg = compose("evaluate", overrides, return_hydra_config=True)
    nodes = cfg.logger
    assert [labels(node) for node in nodes.values()] == [{}, {"mode": "offline"}]  # not in a multirun
    monkeypatch.setattr(HydraConfig.instance(), "cfg", cfg)
    assert labels(nodes.csv) == {}
    assert labels(nodes.wandb) == {"mode": "offline", "group": tmp_path.name, **({"name": name} if name else {})}


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, untrained):
    """`python evaluate.py -m logger=wandb …` over two fills at one threshold."""
    words = ["logger=wandb", *untrained, "explainer.threshold=0.4", "explainer.fill=zero,floor"]
    return Shell(tmp_path_factory.mktemp("sweep"))("fills", "evaluate.py", "-m", *words)[0]


@pytest.mark.slow
def test_a_sweeps_jobs_are_grouped_named_and_tagged(sweep):
    for job, fill in enumerate(("zero", "floor")):
        run = read(sweep / str(job))
        assert (run.run.run_group, run.run.display_name) == ("fills", f"explainer.fill={fill}")
        assert list(run.run.tags) == ["folder"] and run.exit_code == 0


@pytest.mark.slow
def test_a_jobs_config_is_plain_and_nested(sweep):
    config = read(sweep / "1").config
    assert config["frontend"]["hop"] == 315 and config["explainer"]["fill"] == "floor"
    assert config["classifier"]["system"]["network"]["frames"] == config["frontend"]["excerpt_frames"] == 115
    assert config["data"]["name"] == "folder" and "${" not in json.dumps(config["logger"])
    assert not [key for key in config if "." in key or "/" in key]


@pytest.mark.slow
def test_a_job_shows_its_point_its_figure_and_its_sounds(sweep):
    run, (row,) = read(sweep / "0"), read_curve(sweep / "0/curve.csv")[:1]
    assert row["explainer"] == "inversion" and row["threshold"] == run.summary["threshold"] == 0.4
    assert run.summary[LOSS] == pytest.approx(row[LOSS])
    assert len(points(run, "curve/explanation_loss")) == 4  # the explainer and three controls
    (kept,) = logged(run, "sounds/kept")
    beside = sorted((sweep / "0/explanations").glob("*-kept.wav"))
    assert media(run, [sound["path"] for sound in kept["audio"]]) == [path.read_bytes() for path in beside]
    assert len(beside) == 3
