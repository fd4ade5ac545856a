"""Many tracks: each in a directory of its own, whole or not at all, and once as long as the question is the same."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from svdx.batch.collection import TrackJob, document_collection, names
from svdx.batch.finished import MARK, RESULTS, UNFINISHED, atomic_directory
from svdx.batch.job import Outcome
from svdx.batch.request import Request
from svdx.corpora.loose_files import track_at
from svdx.errors import AudioError
from svdx.explanation import FeatureInversion
from svdx.explanation.audio_explainer import AudioExplainer
from svdx.explanation.methods.controls import ClassMeanMask, OtherTrackMask
from svdx.models import UpConv

RATE = 22050


def in_turn(job, tracks):
    """The simplest of engines."""
    return [job(*track) for track in tracks]


@pytest.fixture
def request_(frontend, classifier):
    """An excerpt from 0.5 s, by networks of random weights."""
    explainer = AudioExplainer(frontend, FeatureInversion(classifier, UpConv(8).eval(), threshold=0.5))
    return Request(explainer, 0.5, None, [0.0, 0.5])


class Quick(Request):
    """The same question, answered at once."""

    def __call__(self, track, directory):
        for name in ("report.html", *(["removed.wav"] if self.sounds else [])):
            (directory / name).write_text(2000 * "answer")
        return {"label": "kept"}


@pytest.fixture
def quick(request_):
    return Quick(request_.explainer, 0.5, None, [0.0, 0.5])


@pytest.fixture
def song(tmp_path):
    """audio/a.wav of three seconds, with its labels and its voice."""
    for folder in ("audio", "labels", "vocals"):
        (tmp_path / "songs" / folder).mkdir(parents=True)
    noise = 0.1 * np.random.default_rng(0).standard_normal((2, 3 * RATE))
    soundfile.write(tmp_path / "songs/audio/a.wav", noise.sum(0), RATE)
    soundfile.write(tmp_path / "songs/vocals/a.wav", noise[0], RATE)
    (tmp_path / "songs/labels/a.lab").write_text("0 1 nosing\n1 3 sing\n")
    return tmp_path / "songs"


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_each_track_has_its_page_and_one_that_fails_is_reported(request_, song, tmp_path):
    (song / "audio/a&b.mp3").write_text("not <sound>")
    files = [song / "audio/a&b.mp3", song / "audio/a.wav", song / "vocals/a.wav"]
    found = document_collection("songs & more", files, TrackJob(request_, tmp_path / "out"), in_turn)
    assert list(found.done) == ["a", "a 2"] and list(found.failed) == [str(files[0])] and found.before == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a", "a 2", "index.html"}
    assert contents(tmp_path / "out/a").keys() == RESULTS - {"track.wav"}
    html = (tmp_path / "out/index.html").read_text()
    assert "songs &amp; more: 2 of 3 tracks" in html and 'href="a%202/report.html"' in html
    assert found.done["a"]["mask"] in html and "a&amp;b.mp3: not readable" in html


def test_if_all_tracks_fail_the_first_reason_is_reported_and_no_file_is_left(request_, song, tmp_path):
    (song / "audio/b.mp3").write_text("no sound")
    with pytest.raises(AudioError, match=r"none of 1 tracks could be explained; the first: .*b\.mp3: not readable"):
        document_collection("", [song / "audio/b.mp3"], TrackJob(request_, tmp_path / "out"), in_turn)
    assert not any((tmp_path / "out").iterdir())


def test_a_wrong_setting_is_refused_and_not_counted_as_a_failed_track(request_, song, tmp_path):
    wrong = replace(request_, start="all", hop=9)
    outcome = TrackJob(wrong, tmp_path / "out")(str(song / "audio/a.wav"), "a")
    assert outcome == Outcome("refused", "hop=9: expected 0.02 to 1.64 s")
    assert not (tmp_path / "out/a").exists() and not any((tmp_path / "out" / UNFINISHED).iterdir())


def test_a_helping_process_writes_no_index(request_, song, tmp_path):
    job = TrackJob(request_, tmp_path / "out")
    assert document_collection("", [song / "audio/a.wav"], job, lambda *_: None) is None
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("control", [ClassMeanMask, OtherTrackMask])
def test_the_explainers_examples_are_part_of_the_key(frontend, classifier, song, control):
    def asked(examples):
        explainer = control(classifier, nn.Identity(), examples)
        explainer._known = (torch.rand(1),)  # what it keeps for itself is not
        request = Request(AudioExplainer(frontend, explainer), 1.0, None, [0.5])
        return json.dumps(request.key(track_at(song / "audio/a.wav")))

    one, two = torch.zeros(2, 115, 80), torch.ones(2, 115, 80)
    assert asked(one) == asked(one.clone()) != asked(two)


def explained(request, song, out):
    return TrackJob(request, out)(str(song / "audio/a.wav"), "a").state


@pytest.fixture
def first(quick, song, tmp_path):
    """What is in the directory of a track that has been explained."""
    assert explained(quick, song, tmp_path / "out") == "done"
    return contents(tmp_path / "out/a")


def test_results_that_are_up_to_date_are_not_computed_again(quick, first, song, tmp_path, monkeypatch):
    again = replace(quick)  # as in a new process
    monkeypatch.setattr(Quick, "__call__", None)
    assert explained(again, song, tmp_path / "out") == "up to date"


def exchanged(path):
    time = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    os.utime(path, ns=(0, time))


CHANGES = {  # of what is asked about
    "the file is another": lambda r, song: soundfile.write(song / "audio/a.wav", np.ones(3 * RATE) / 9, RATE),
    "one of the same name, size and time": lambda r, song: exchanged(song / "audio/a.wav"),
    "the voice": lambda r, song: exchanged(song / "vocals/a.wav"),
    "no voice": lambda r, song: (song / "vocals/a.wav").unlink(),
    "labels": lambda r, song: (song / "labels/a.lab").write_text("0 1.5 nosing\n1.5 3 sing\n"),
    "start": lambda r, song: setattr(r, "start", 1.0),
    "the whole track": lambda r, song: setattr(r, "start", "all"),
    "hop": lambda r, song: setattr(r, "hop", 0.5),
    "thresholds": lambda r, song: setattr(r, "thresholds", [0.1]),
    "sounds": lambda r, song: setattr(r, "sounds", False),
    "threshold": lambda r, song: setattr(r.explainer.explainer, "threshold", 0.4),
    "fill": lambda r, song: setattr(r.explainer.explainer, "fill", "zero"),
    "keep": lambda r, song: setattr(r.explainer.explainer, "keep", "complement"),
    "a weight of the classifier": lambda r, song: r.explainer.explainer.classifier.fc9.bias.add_(1),
    "a buffer of the inverter": lambda r, song: next(r.explainer.explainer.inverter.buffers()).add_(1),
    "the standardisation": lambda r, song: r.explainer.explainer.classifier.mean.add_(1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_request_is_computed_again_and_replaces_the_results(change, quick, first, song, tmp_path):
    other = replace(quick)
    with torch.no_grad():
        CHANGES[change](other, song)
    assert explained(other, song, tmp_path / "out") == "done"
    assert contents(tmp_path / "out/a")[MARK] != first[MARK]
    assert explained(replace(other), song, tmp_path / "out") == "up to date"
    assert not any((tmp_path / "out" / UNFINISHED).iterdir())
    assert any(name.endswith(".wav") for name in contents(tmp_path / "out/a")) == other.sounds


DAMAGES = {
    "a file is missing": lambda place: (place / "removed.wav").unlink(),
    "a file is shorter": lambda place: os.truncate(place / "report.html", 1000),
    "no mark": lambda place: (place / MARK).unlink(),
    "half a mark": lambda place: os.truncate(place / MARK, 100),
    "an empty mark": lambda place: (place / MARK).write_text("{}"),
    "nothing": lambda place: [path.unlink() for path in place.iterdir()],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_results_are_computed_again(damage, quick, first, song, tmp_path):
    DAMAGES[damage](tmp_path / "out/a")
    assert explained(quick, song, tmp_path / "out") == "done"
    assert contents(tmp_path / "out/a") == first


def test_files_of_a_killed_process_are_removed(quick, first, song, tmp_path):
    left = tmp_path / "out" / UNFINISHED / "half"
    left.mkdir()
    (left / "report.html").write_text("<ht")
    document_collection("", [song / "audio/a.wav"], TrackJob(quick, tmp_path / "out"), in_turn)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a", "index.html"}
    assert contents(tmp_path / "out/a") == first


def test_an_error_keeps_the_earlier_results(quick, first, song, tmp_path):
    with pytest.raises(ZeroDivisionError), atomic_directory(tmp_path / "out/a") as unfinished:
        (unfinished / "report.html").write_text("<ht")
        _ = 1 / 0
    assert contents(tmp_path / "out/a") == first
    assert not any((tmp_path / "out" / UNFINISHED).iterdir())


def test_a_directory_with_anything_else_in_it_is_never_replaced(quick, song, tmp_path):
    """`audio=DIR/*/mixture.wav hydra.run.dir=DIR`: the results would stand in for the tracks themselves."""
    shutil.copytree(song, tmp_path / "out/a")
    before = sorted((tmp_path / "out/a").rglob("*"))
    outcome = TrackJob(quick, tmp_path / "out")(str(song / "audio/a.wav"), "a")
    assert outcome.state == "refused"
    assert outcome.reason.endswith("out/a holds audio, which is of no explanation: give another hydra.run.dir")
    assert sorted((tmp_path / "out/a").rglob("*")) == before


def test_a_directory_that_cannot_be_written_is_an_error_in_one_line(quick, song, tmp_path):
    (tmp_path / "out").write_text("a file")
    outcome = TrackJob(quick, tmp_path / "out")(str(song / "audio/a.wav"), "a")
    assert outcome.state == "refused" and "cannot be written (Not a directory): give a hydra.run.dir" in outcome.reason


def test_a_missing_file_is_a_failed_track(quick, tmp_path):
    outcome = TrackJob(quick, tmp_path / "out")(str(tmp_path / "gone.wav"), "gone")
    assert outcome == Outcome("failed", f"{tmp_path / 'gone.wav'}: no such audio file")


def test_the_number_of_threads_is_the_jobs(quick, song, tmp_path):
    torch.set_num_threads(2)
    try:
        explained(quick, song, tmp_path / "out")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(1)


def test_naming_many_tracks_is_fast():
    given = names([Path(f"{i}/{name}.wav") for i in range(20000) for name in ("a", i)])
    assert len(set(given)) == 40000 and given[-2:] == ["a 20000", "19999"]
