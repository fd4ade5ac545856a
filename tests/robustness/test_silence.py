"""Excerpts in which nothing sounds, and pictures that are the same everywhere: nothing is salient, nothing is NaN."""

import numpy as np
import pytest
import pytorch_lightning as pl
import soundfile
import torch

from svdx.corpora import Folder
from svdx.corpora.loose_files import track_at
from svdx.data.cache import MelStore
from svdx.data.datamodule import ExcerptsData
from svdx.evaluation.evaluator import Evaluator
from svdx.explanation import Area, FeatureInversion
from svdx.explanation.audio_explainer import AudioExplainer
from svdx.explanation.methods.controls import make_controls
from svdx.explanation.recording import read_recording
from svdx.models import UpConv
from tests.support.documents import document_excerpt, document_track

RATE = 22050
THRESHOLDS = [0.0, 0.01, 0.5, 1.0, 1.1]


@pytest.fixture
def root(tmp_path):
    """A corpus of one track: two seconds of nothing, then two of noise."""
    sound = 0.1 * np.random.default_rng(0).standard_normal(4 * RATE) * (np.arange(4 * RATE) >= 2 * RATE)
    for folder in ("audio", "labels", "filelists"):
        (tmp_path / folder).mkdir()
    soundfile.write(tmp_path / "audio/a.wav", sound, RATE, "FLOAT")
    (tmp_path / "labels/a.lab").write_text("0 2 nosing\n2 4 sing\n")
    (tmp_path / "filelists/test").write_text("a\n")
    return tmp_path


def flat():
    """An inverter that paints every excerpt in one colour."""
    network = UpConv(8).eval()
    for weight in network.linear_layers()[-1].parameters():
        torch.nn.init.zeros_(weight)
    return network


def test_an_excerpt_of_silence_has_an_explanation(root, frontend, classifier):
    explainer = AudioExplainer(frontend, FeatureInversion(classifier, UpConv(8).eval(), threshold=0.5))
    arrays = explainer.explain_excerpt(read_recording(track_at(root / "audio/a.wav")), 0).explanation.arrays()
    assert np.ptp(arrays["excerpts"], axis=1).max() == 0  # each band is the same from the first frame to the last
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert (arrays["salience"].min(), arrays["salience"].max()) == (0, 1)


def test_a_constant_score_has_a_page_that_keeps_nothing(root, frontend, classifier):
    explainer = AudioExplainer(frontend, FeatureInversion(classifier, flat(), threshold=0.5))
    facts = document_excerpt(explainer, track_at(root / "audio/a.wav"), 0, THRESHOLDS, root / "out")
    with np.load(root / "out/explanation.npz") as arrays:
        assert all(np.isfinite(arrays[name]).all() for name in arrays.files)
        assert not arrays["salience"].any() and not arrays["mask"].any()
    assert facts["area kept"] == "0.0 %"
    kept, _ = soundfile.read(root / "out/explanation.wav")
    assert not kept.any()


def test_a_constant_score_has_no_best_tenth(root, frontend, classifier):
    explainer = AudioExplainer(frontend, FeatureInversion(classifier, flat(), area=0.1))
    for start, document in ((0, document_excerpt), (None, document_track)):
        areas = [Area(0.1), Area(0.5), Area(1.0)]
        facts = document(explainer, track_at(root / "audio/a.wav"), start, areas, root / "out")
        with np.load(root / "out/explanation.npz") as arrays:
            assert not arrays["mask"].any()
        assert facts["area kept"] == "0.0 %" and "best 10 % of the area, here no bin" in facts["mask"]


def test_constant_scores_count_as_empty_explanations(root, frontend, classifier):
    store = MelStore(root / "mels", frontend, workers=1)
    data = ExcerptsData(Folder(root), store, batch_size=4, sampling="all", test_hop=40)
    data.setup("test")
    probability = classifier(classifier.standardise(data.test_set[range(len(data.test_set))]["logmel"]))
    classifier.threshold.copy_(probability.median())
    explainer = FeatureInversion(classifier, flat(), threshold=0.5)
    evaluator = Evaluator(explainer, THRESHOLDS, make_controls(["random", "energy"], classifier, 0))
    silent = dict(logger=False, enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False)
    scores = pl.Trainer(accelerator="cpu", **silent).test(evaluator, datamodule=data, verbose=False)[0]
    empty = scores["empty_mask/explanation_loss_percent"]
    assert 0 < empty < 100
    for row in evaluator.rows("folder", "test"):
        whole = row["threshold"] == 0
        assert row["relative_area_percent"] == (100 if whole else 0)
        assert row["explanation_loss_percent"] == pytest.approx(0 if whole else empty)
    assert np.isfinite(list(scores.values())).all()
