"""The Python API: the same numbers as explain.py, notebooks that need no files, and errors in one line."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

import svdx
from svdx.errors import AudioError, ConfigError, WeightsError
from svdx.models import UpConv
from svdx.models.weights import CLASSIFIER, FRONTEND, INVERTER, fingerprint, save

RATE = 22050
FILES = {"explanation.npz", "explanation.png", "explanation.wav", "excerpt.wav", "removed.wav", "report.html"}


@pytest.fixture(scope="module")
def cache(tmp_path_factory, frontend, _classifier):
    """A cache with networks of random weights, as train.py leaves it."""
    place = tmp_path_factory.mktemp("cache")
    (place / "models/corpus").mkdir(parents=True)
    inverter = UpConv(8).eval()
    inverter.inverts = fingerprint(_classifier)
    save(_classifier, place / "models/corpus" / CLASSIFIER)
    save(inverter, place / "models/corpus" / INVERTER)
    (place / "models/corpus" / FRONTEND).write_text(json.dumps(frontend.settings))
    return place


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    path = tmp_path_factory.mktemp("songs") / "a <song>.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(0).standard_normal((3 * RATE, 2)), RATE)
    return path


@pytest.fixture
def networks(cache):
    return svdx.load(cache / "models/corpus")


def test_importing_svdx_imports_neither_torch_nor_matplotlib():
    code = "import svdx, sys; assert not {'torch', 'matplotlib', 'hydra', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_networks_that_were_trained_last_are_found_in_the_cache(cache, song, monkeypatch):
    monkeypatch.setenv("SVDX_CACHE", str(cache))
    assert svdx.explain(song, start=1).mask.shape == (115, 80)


def test_without_networks_it_is_said_how_to_make_them(tmp_path, monkeypatch):
    monkeypatch.setenv("SVDX_CACHE", str(tmp_path))
    for directory in (None, tmp_path):
        with pytest.raises(WeightsError, match=r"train them with `python train\.py`"):
            svdx.load(directory)


@pytest.mark.parametrize("name", [CLASSIFIER, INVERTER, FRONTEND])
@pytest.mark.parametrize("text", [None, "", "{}", "[1]"])
def test_a_directory_that_lacks_a_part_or_holds_a_damaged_one_is_refused_in_one_line(cache, tmp_path, name, text):
    for file in (cache / "models/corpus").iterdir():
        if file.name != name:
            (tmp_path / file.name).write_bytes(file.read_bytes())
        elif text is not None:
            (tmp_path / name).write_text(text)
    with pytest.raises(WeightsError) as error:
        svdx.load(tmp_path)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "start, words, options",
    [
        (0.5, ["explainer=gated_inversion", "explainer.frames=2.0"], {"explainer": "gated_inversion", "frames": 2.0}),
        ("all", ["hop=0.5", "explainer.threshold=0.4", "explainer.keep=complement"], {"threshold": 0.4, "hop": 0.5}),
    ],
)
def test_the_numbers_are_those_of_explain_py(shell, cache, networks, song, tmp_path, start, words, options):
    models = cache / "models/corpus"
    weights = (f"classifier.weights={models / CLASSIFIER}", f"inverter.weights={models / INVERTER}")
    quoted = "audio='" + str(song) + "'"
    directory, _ = shell(f"api-{start}", "explain.py", quoted, f"start={start}", *words, *weights)
    if start == "all":
        options = {**options, "keep": "complement"}
    explanation = svdx.explain(song, start, networks=networks, **options)
    saved = explanation.save(tmp_path / "saved")
    assert {path.name for path in saved.iterdir()} == (
        FILES if start != "all" else FILES - {"excerpt.wav"} | {"track.wav"}
    )
    with np.load(directory / "explanation.npz") as expected, np.load(saved / "explanation.npz") as arrays:
        assert set(arrays) == set(expected)
        for name in expected:
            assert np.array_equal(arrays[name], expected[name]), name
    assert (saved / "report.html").read_text() == (directory / "report.html").read_text()
    assert explanation.facts.items() <= json.loads((directory / "summary.json").read_text()).items()


def test_an_explanation_has_its_values(networks, song):
    explanation = svdx.explain(song, 1, networks=networks, threshold=0.5)
    assert np.array_equal(explanation.mask, explanation.salience >= np.float32(0.5))
    assert explanation.area == pytest.approx(explanation.mask.mean())
    assert explanation.probability.shape == explanation.masked_probability.shape == explanation.flipped.shape == (1,)
    assert re.fullmatch(
        r"<Explanation of a <song>\.wav, from 1 s: (no )?singing \(p = [\d.]+\); "
        r"label (kept|flipped), [\d.]+ % kept by inversion>",
        repr(explanation),
    )
    assert "whole track: singing in" in repr(svdx.explain(song, "all", networks=networks, threshold="otsu"))


def test_a_notebook_shows_picture_and_players_that_need_no_other_file(networks, song):
    for start in (1, "all"):
        html = svdx.explain(song, start, networks=networks)._repr_html_()
        sources = re.findall(r'(?:src|href)="(.*?)"', html)
        assert [source.split(";")[0] for source in sources] == ["data:image/png", *["data:audio/wav"] * 3]
        assert "a &lt;song&gt;" in html and "a <song>" not in html and "<script" not in html


def test_outside_a_notebook_the_page_is_opened(networks, song, monkeypatch):
    opened = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    svdx.explain(song, 1, networks=networks).show()
    assert opened[0].startswith("file:///") and opened[0].endswith("/report.html")


@pytest.mark.parametrize(
    "start, options, message",
    [
        (1, {"threshold": 1.2}, "explainer.threshold=1.2"),
        (1, {"threshold": 0.5, "area": 0.1}, "give one of them"),
        (1, {"keep": "other"}, "keep=other"),
        (1, {"explainer": "nothing"}, "explainer/nothing"),
        (1, {"colour": 1}, "colour"),
        (1, {"hop": 0.5}, "hop=0.5: applies to whole tracks only"),
        ("some", {}, "expected seconds or 'all'"),
        (None, {}, "expected seconds or 'all'"),
        (-1, {}, "start=-1"),
        ("all", {"hop": 9.0}, "hop=9.0: expected 0.02 to 1.64 s"),
        ("all", {"threshold": "reconstruction_error"}, "threshold=reconstruction_error: does not support whole tracks"),
        (1, {"explainer": "class_mean_mask"}, "needs a training corpus"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(networks, song, start, options, message):
    with pytest.raises(ConfigError, match=re.escape(message)) as error:
        svdx.explain(song, start, networks=networks, **options)
    assert "\n" not in str(error.value)


def test_a_start_behind_the_end_is_refused(networks, song):
    with pytest.raises(AudioError, match=r"begins at 0 to 1\.31 s"):
        svdx.explain(song, 3, networks=networks)


def test_numbers_of_numpy_are_accepted(networks, song):
    explained = svdx.explain(song, np.float32(1), networks=networks, threshold=np.float64(0.5))
    assert np.array_equal(explained.mask, svdx.explain(song, 1, networks=networks, threshold=0.5).mask)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_networks_on_a_gpu_give_the_same_salience(cache, networks, song):
    there = svdx.explain(song, 1, networks=svdx.load(cache / "models/corpus", device="cuda"))
    np.testing.assert_allclose(there.salience, svdx.explain(song, 1, networks=networks).salience, atol=1e-3)
