"""What a run leaves beside its results."""

import json
import re
import subprocess

import pytest
from omegaconf import OmegaConf

from svdx.app import provenance
from svdx.app.provenance import write_summary
from svdx.corpora import Folder
from svdx.errors import CorpusError


def test_a_summary_is_json_whatever_the_results(tmp_path):
    results = {"auroc": float("nan"), "loss": float("inf"), "accuracy": 0.5, "n": 0, "weights": "a.npz"}
    write_summary(tmp_path, OmegaConf.create(), results)

    def refuse(constant):
        raise ValueError(constant)

    summary = json.loads((tmp_path / "summary.json").read_text(), parse_constant=refuse)
    assert {name: summary[name] for name in results} == results | {"auroc": None, "loss": None}


def test_a_summary_holds_seed_command_commit_and_versions(tmp_path):
    write_summary(tmp_path, OmegaConf.create({"seed": 3}), {})
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["seed"] == 3
    assert {"command", "commit", "python", "versions"} <= set(summary)
    assert {"svdx", "torch", "torchaudio", "pytorch-lightning", "numpy"} <= set(summary["versions"])


def git(place, *words):
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(place), *identity, *words], check=True, capture_output=True)


def test_the_commit_is_that_of_the_checkout_and_marks_changed_files(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "provenance.py"))
    assert provenance.commit() is None  # no checkout
    (tmp_path / "provenance.py").write_text("")
    (tmp_path / "other").write_text("")
    git(tmp_path, "init")
    git(tmp_path, "add", "other")
    git(tmp_path, "commit", "--message=other")
    assert provenance.commit() is None  # of another program, in which svdx is installed
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--message=svdx")
    found = provenance.commit()
    assert re.fullmatch("[0-9a-f]{40}", found)
    (tmp_path / "other").write_text("changed")
    assert provenance.commit() == found + "+"


def test_the_checksum_of_a_corpus_depends_on_contents_not_on_paths(make_corpus, tmp_path):
    def checksums(place):
        corpus = Folder(place)
        corpus.split("train")
        return corpus.checksums()

    make_corpus(tmp_path / "here")
    before = checksums(tmp_path / "here")
    assert set(before) == {"train"}  # of the splits that are used
    (tmp_path / "here").rename(tmp_path / "there")
    audio, labels = tmp_path / "there/audio/train1.wav", tmp_path / "there/labels/train1.lab"
    audio.touch()
    assert checksums(tmp_path / "there") == before
    sound = audio.read_bytes()
    audio.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    changed = checksums(tmp_path / "there")
    assert changed != before
    labels.write_text(labels.read_text().replace("4.0", "3.5"))
    relabelled = checksums(tmp_path / "there")
    assert relabelled not in (before, changed)
    (tmp_path / "there/vocals").mkdir()
    (tmp_path / "there/vocals/train0.wav").write_bytes(sound)
    with_voice = checksums(tmp_path / "there")
    assert with_voice != relabelled
    (tmp_path / "there/filelists/train").write_text("train1.wav\ntrain0.wav\n")
    assert checksums(tmp_path / "there") != with_voice


def test_a_file_that_vanishes_is_one_line(make_corpus, tmp_path):
    corpus = make_corpus(tmp_path)
    (track, *_) = corpus.split("train")
    track.audio.unlink()
    with pytest.raises(CorpusError, match=r"train0.wav: cannot be read \(No such file"):
        corpus.checksums()
