"""The command lines, as a person types them: one tiny synthetic corpus, trained on once and used by all that follow."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from omegaconf import OmegaConf

from svdx.audio.reading import decode
from svdx.evaluation.curve import group_curves, read_curve
from tests.support.command_line import CORPUS, FEW, KEY, NEVER, QUICK, epochs, lines, metrics, of

PARTS = (
    "excerpts",
    "picture",
    "salience",
    "mask",
    "masked",
    "probability",
    "masked_probability",
    "decision",
    "threshold",
)

TWO = ("trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp")

pytestmark = pytest.mark.slow


def scores(directory):
    """The numbers of summary.json."""
    summary = json.loads((directory / "summary.json").read_text())
    return {name: value for name, value in summary.items() if isinstance(value, int | float)}


def assert_provenance(directory, *results):
    summary = json.loads((directory / "summary.json").read_text())
    assert {*results, "command", "seed", "commit", "python", "versions", "hashes"} <= set(summary)
    assert "${" not in (directory / "config.yaml").read_text()
    assert OmegaConf.load(directory / "config.yaml").frontend.hop == 315


def test_train_creates_missing_prerequisites_and_logs_it(shell, trained):
    assert f"no classifier found for {KEY}-" in trained["first"]
    assert len(list((shell.cache / "corpora" / KEY.removeprefix("synthetic-") / "audio").iterdir())) == 8
    for directory, what in ((shell.place / "first", "inverter"), (shell.place / "first/classifier", "classifier")):
        assert_provenance(directory, "trained", "corpus", "weights")
        summary = json.loads((directory / "summary.json").read_text())
        assert summary["trained"] == what and what in summary["hashes"] and "train" in summary["hashes"]["corpus"]
        assert (directory / "checkpoints/last.ckpt").is_file()
    assert {"train/mse", "train/cost", "valid/mse", "valid/explanation_loss_percent"} <= set(trained["metrics"][0])
    assert sorted(path.name for path in next((shell.cache / "models").glob(f"{KEY}-*")).iterdir()) == [
        *("classifier.safetensors", "frontend.json", "inverter.safetensors")
    ]


def test_a_callback_of_lightning_is_added_on_the_command_line(shell, trained):
    stopping = dict(monitor="valid/mse", min_delta="1e9", patience="1")
    words = [f"+callbacks.early_stopping.{option}={value}" for option, value in stopping.items()]
    words += ["+callbacks.early_stopping._target_=pytorch_lightning.callbacks.EarlyStopping"]
    words += ["inverter.fit.max_epochs=9", "++inverter.fit.check_val_every_n_epoch=1"]
    directory, done = shell("stopped", "train.py", *CORPUS, *words)
    assert epochs(directory) == 2 and "epoch 2/9" in done.stdout and "epoch 3/9" not in done.stdout
    assert "detector epoch" not in done.stdout  # the classifier is that of the training without it


def test_train_again_reuses_the_classifier_and_trains_the_inverter_again(shell, trained):
    assert "; training one" not in trained["second"] and "detector epoch" not in trained["second"]
    assert "inverter epoch 1/1" in trained["second"]
    assert trained["classifier"] == trained["classifier after the second"]
    assert not (shell.place / "second/classifier").exists()


def test_the_inverter_does_not_depend_on_whether_its_classifier_was_cached(shell, trained):
    assert metrics(shell.place / "second") == trained["metrics"]


def test_resume_goes_on_where_the_run_ended(shell, trained):
    assert trained["checkpoint"] == 1
    assert "epoch 1/2" not in trained["resumed"] and "epoch 2/2" in trained["resumed"]
    assert epochs(shell.place / "first") == 2


def test_resume_keeps_the_numbers_of_the_epochs_before(shell, trained):
    resumed = metrics(shell.place / "first")
    assert {row["epoch"] for row in resumed} == {"0", "1"}


def test_evaluate_writes_the_whole_curve_and_those_of_the_controls(curve):
    curves = group_curves(read_curve(curve / "curve.csv"))
    assert list(curves) == ["inversion", "random", "random_blocks", "energy"]
    areas = [row["relative_area_percent"] for row in curves["inversion"]]
    assert areas == sorted(areas, reverse=True)
    for rows in curves.values():
        assert [row["threshold"] for row in rows] == pytest.approx([i / 10 for i in range(12)])
        assert {(row["n"], row["n_vocal"] + row["n_nonvocal"]) for row in rows} == {(9, 9)}
        assert (rows[0]["flips"], rows[0]["relative_area_percent"]) == (0, 100)
        assert rows[-1]["relative_area_percent"] == 0
        assert [row["relative_area_percent"] for row in rows] == areas
        for row in rows:
            assert row["explanation_loss_percent"] == pytest.approx(100 * row["flips"] / 9)
            assert row["flips"] == row["flips_vocal"] + row["flips_nonvocal"]
    assert (curve / "curve.png").read_bytes().startswith(b"\x89PNG")
    assert_provenance(curve, "classifier", "n_excerpts", "reconstruction_error/input")
    assert not list(curve.rglob("*.part"))


def test_one_threshold_gives_one_row_of_each_curve(shell, curve):
    directory, _ = shell("one", "evaluate.py", *CORPUS, *FEW, "explainer.threshold=0.3")
    assert lines(directory) == of(lines(curve), 0.3)


def test_the_same_command_writes_the_same_curve_byte_for_byte(shell, curve):
    again, _ = shell("again", "evaluate.py", *CORPUS, *FEW)
    assert (again / "curve.csv").read_bytes() == (curve / "curve.csv").read_bytes()
    ours, theirs = (json.loads((place / "summary.json").read_text()) for place in (again, curve))
    assert ours["hashes"] == theirs["hashes"]
    assert set(ours["hashes"]) == {"classifier", "inverter", "corpus"} and set(ours["hashes"]["corpus"]) == {"test"}


def test_the_curve_depends_on_neither_batches_workers_nor_threads(shell, curve, tmp_path):
    anew = (f"store.directory='{tmp_path}'", "store.workers=1", "threads=2", "excerpts.batch_size=5")
    directory, _ = shell("otherwise", "evaluate.py", *CORPUS, *FEW, *anew, "thresholds=[0.3,0.6]")
    found, expected = (read_curve(place / "curve.csv") for place in (directory, curve))
    expected = [row for row in expected if row["threshold"] in (0.3, 0.6)]
    for row, same in zip(found, expected, strict=True):
        assert row == pytest.approx(same, abs=1e-5, nan_ok=True)
    assert scores(directory) == pytest.approx(scores(curve), abs=1e-5, nan_ok=True)


def test_a_diverged_training_is_one_line_and_keeps_the_models(shell, trained):
    (models,) = (shell.cache / "models").glob(f"{KEY}-*")
    before = {path: path.read_bytes() for path in models.iterdir()}
    directory, done = shell("lost", "train.py", *CORPUS, "inverter.system.optimizer.lr=1e30", status=1)
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("svdx: "))
    assert line.startswith("svdx: update 2 has the loss nan, at learning rate 1e+30, with excerpts of 'train_000")
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in models.iterdir()} == before
    assert not list(directory.rglob("*.ckpt"))


def test_a_few_batches_can_be_evaluated(shell, curve):
    directory, _ = shell("few", "evaluate.py", *CORPUS, *FEW, "trainer.limit_test_batches=1")
    assert {row["n"] for row in read_curve(directory / "curve.csv")} == {4}


def test_two_processes_count_every_excerpt_once(shell, curve):
    directory, _ = shell("two", "evaluate.py", *CORPUS, *FEW, *TWO)
    assert lines(directory) == lines(curve)
    assert scores(directory) == pytest.approx(scores(curve))


def test_a_curve_is_drawn_again_from_its_file_alone(shell, curve):
    (curve / "curve.png").unlink()
    shell("drawn", "evaluate.py", f"plot={curve / 'curve.csv'}")
    assert (curve / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_trained_models_are_applied_to_another_corpus_with_its_statistics(shell, trained, tiny_corpus):
    (models,) = (shell.cache / "models").glob(f"{KEY}-*")
    other = ("experiment=cross_dataset", f"models='{models}'", "data=folder", f"data.root='{tiny_corpus.root}'")
    few = ("excerpts.n=8", "thresholds=[0.5]", "controls=[]")
    target, _ = shell("target", "evaluate.py", *other, *few)
    own, _ = shell("own", "evaluate.py", *other, *few, "classifier.standardisation=own")
    assert lines(target) != lines(own)


@pytest.fixture(scope="module")
def more(shell, trained):
    """An evaluation with agreement and detection, and what was asked for."""
    words = ("detection=true", "agreement=true", "controls=[]", "thresholds=[0.3,1.1]", "explainer.fill=excerpt-mean")
    words = (*CORPUS, "excerpts.n=8", *words)
    return shell("agreement", "evaluate.py", *words)[0], words


def test_agreement_and_detection_on_request(more):
    directory, _ = more
    with (directory / "agreement.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["threshold"] for row in rows] == ["0.3", "1.1"]
    found = scores(directory)
    assert 0 <= found["detection/accuracy"] <= 1 and 0 < found["detection/threshold"] < 1
    assert float(rows[1]["faithfulness"]) == pytest.approx(0, abs=1e-6)  # nothing kept: what is taken away is nothing


def test_two_processes_give_the_same_agreement_and_detection(shell, more):
    directory, words = more
    both, _ = shell("agreement_of_two", "evaluate.py", *words, *TWO)
    assert lines(both) == lines(directory)
    assert scores(both) == pytest.approx(scores(directory))
    tables = [(place / "agreement.csv").read_text().splitlines() for place in (directory, both)]
    (names, *one), (names_of_both, *two) = ([line.split(",") for line in table] for table in tables)
    assert names == names_of_both
    assert [[*map(float, row)] for row in two] == [pytest.approx([*map(float, row)], abs=1e-6) for row in one]


def test_detection_depends_on_the_labels_of_both_of_its_splits_whatever_is_evaluated(
    shell, untrained, make_corpus, tmp_path
):
    make_corpus(tmp_path)
    words = (*untrained, f"data.root={tmp_path}", "detection=true", "controls=[]", "thresholds=[0.5]")
    shell("detected", "evaluate.py", *words, "excerpts.split=valid")
    _, again = shell("detected", "evaluate.py", *words, "excerpts.split=valid", "threads=1", "logger=wandb")
    assert "up to date, nothing to do" in again.stdout
    (tmp_path / "labels/test0.lab").write_text("0 1 nosing\n1 4 sing\n")
    _, done = shell("detected", "evaluate.py", *words, "excerpts.split=valid", status=1)
    assert "holds the result of another sound and labels: overwrite=true replaces it" in done.stderr


def test_the_inverters_of_paper_and_released_program_are_cached_side_by_side(shell, trained, curve):
    words = (*CORPUS, "controls=[]", "thresholds=[0.5]", "excerpts.n=4")
    released = ("experiment=released_code", "inverter.width=64", "excerpts.sampling=random")
    directory, done = shell("released", "evaluate.py", *words, *released)
    assert "no inverter of fc8 found for this classifier with this configuration; training one" in done.stdout
    assert "(width 64, " in json.loads((directory / "summary.json").read_text())["inverter"]
    for name, more, width in (("released_again", released, 64), ("papers_again", (), 8)):
        directory, done = shell(name, "evaluate.py", *words, *more)
        assert "; training one" not in done.stdout
        assert f"(width {width}, " in json.loads((directory / "summary.json").read_text())["inverter"]


def test_explain_writes_pictures_arrays_sounds_and_a_page(shell, trained, tmp_path):
    song = tmp_path / "My song. Live.flac"
    song.write_bytes(next(shell.cache.rglob("test_0000.flac")).read_bytes())
    directory, _ = shell("explain", "explain.py", *CORPUS, f"audio='{song}'", "start=2.5", "explainer.threshold=0.4")
    with np.load(directory / "explanation.npz") as arrays:
        assert set(arrays.files) == set(PARTS)
        assert (arrays["mask"] == (arrays["salience"] >= np.float32(0.4))).all()
        assert np.array_equal(arrays["masked"], arrays["excerpts"] * arrays["mask"])
        assert arrays["mask"].shape == (1, 115, 80) and 0 < arrays["mask"].mean() < 1
    sounds = [soundfile.read(directory / f"{name}.wav") for name in ("excerpt", "explanation", "removed")]
    (excerpt, rate), (kept, _), (removed, _) = sounds
    assert np.abs(kept + removed - excerpt).max() < 1e-4
    assert rate == 22050 and len(excerpt) == len(kept) == 114 * 315 + 1024
    assert np.abs(excerpt - decode(song, 22050)[175 * 315 :][: len(excerpt)].numpy()).max() < 2 / 2**15
    assert 0 < (kept**2).sum() < (excerpt**2).sum()
    assert (directory / "explanation.png").read_bytes().startswith(b"\x89PNG")
    assert "My song. Live.flac" in (directory / "report.html").read_text()
    assert_provenance(directory, "excerpt", "explanation", "label", "area kept", "label of the kept part as sound")


def test_explain_shows_the_first_singing_of_the_corpus_with_its_voice(shell, trained):
    directory, done = shell("example", "explain.py", *CORPUS)
    assert "kept energy that is voice" in done.stdout or "area kept: 0.0 %" in done.stdout
    assert 'class="voice"' in (directory / "report.html").read_text()


def test_a_start_without_audio_is_that_of_the_example(shell, trained):
    directory, _ = shell("example from 2 s", "explain.py", *CORPUS, "start=2", "sounds=false")
    assert ", from 2 s</h1>" in (directory / "report.html").read_text()


def test_explain_a_whole_track_and_a_directory(shell, trained, tmp_path):
    (tmp_path / "broken.wav").write_text("no sound")
    for song in shell.cache.rglob("audio/test_*.flac"):
        (tmp_path / song.name).write_bytes(song.read_bytes())
    directory, done = shell("songs", "explain.py", *CORPUS, f"audio='{tmp_path}'", "start=all", "hop=1")
    assert "2 of 3 tracks explained" in done.stdout and "broken.wav: not readable" in done.stdout
    assert {path.parent.name for path in directory.glob("*/report.html")} == {"test_0000", "test_0001"}
    assert "broken.wav" in (directory / "index.html").read_text()
    assert_provenance(directory, "tracks", "failed", "classifier", "inverter")


@pytest.fixture(scope="module")
def folder(shell, tiny_corpus):
    words = ("model=svdnet", "data=folder", f"data.root={tiny_corpus.root}", "logger=wandb", *QUICK, NEVER)
    return shell("folder", "train.py", *words)


def test_the_classifier_of_a_folder_with_wandb_offline(shell, tiny_corpus, folder):
    directory, done = folder
    assert "detector epoch 1/1" in done.stdout and "inverter" not in done.stdout
    summary = json.loads((directory / "summary.json").read_text())
    assert summary["trained"] == "classifier" and 0 <= summary["test/auroc"] <= 1
    (classifier,) = (shell.cache / "models").glob(f"{tiny_corpus.key}-*/classifier.safetensors")
    assert Path(summary["weights"]).read_bytes() == classifier.read_bytes()
    assert metrics(directory)
    (run,) = (directory / "wandb").glob("offline-run-*")
    assert list(run.glob("run-*.wandb"))


def test_the_last_epoch_is_saved_even_without_a_validation(folder):
    assert epochs(folder[0]) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="GPUs are there")
def test_a_missing_gpu_is_one_line(shell, trained):
    directory, done = shell("gpu", "train.py", *CORPUS, "trainer.gpus=1", status=1)
    (line,) = done.stderr.splitlines()
    assert line.startswith("svdx: trainer.gpus=1: 0 GPU(s) found") and torch.__version__ in line
    assert line.endswith("trainer.gpus=0 runs on the CPU")
    assert {path.name for path in directory.iterdir()} <= {".hydra", "train.log"}
