"""RWC: pieces by number and seeded splits."""

import numpy as np
import pytest
import soundfile

from svdx.corpora import Rwc
from svdx.errors import ConfigError, CorpusError


def add(root, audio, label=None, text="0.0\tb\r\n0.1\tm\r\n"):
    (root / audio).parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(root / audio, np.zeros(800), 4000)
    if label:
        path = root / "AIST" / f"RM-P{label}.VOCA_INST.TXT"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    return root


@pytest.fixture
def root(tmp_path):
    for number in range(1, 11):
        add(tmp_path, f"cd1/RM-P{number:03}.wav", f"{number:03}")
    return tmp_path


def refusal(corpus, split="train"):
    with pytest.raises(CorpusError) as error:
        corpus.split(split)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_pieces_by_number(tmp_path):
    add(tmp_path, "RWC-MDB-P-2001-M01/001 Eien no replica.flac", "001")
    add(tmp_path, "rm-p002 take 100.wav", "002", "0\tf\n0.15\te\n")
    add(tmp_path, "cover.wav")
    tracks = Rwc(tmp_path, n_test=2, seed=0, n_valid=0).split("test")
    assert [track.name for track in tracks] == ["RM-P001", "RM-P002"]
    assert tracks[0].audio.name == "001 Eien no replica.flac"
    assert [(s.start, s.end, s.vocal) for s in tracks[0].segments] == [(0, 0.1, False), (0.1, 0.2, True)]
    assert [(s.start, s.end, s.vocal) for s in tracks[1].segments] == [(0, 0.15, True), (0.15, 0.2, False)]


def test_seeded_splits_part_the_corpus(root):
    def names(**options):
        corpus = Rwc(root, n_test=3, n_valid=2, **options)
        return [[track.name for track in corpus.split(split)] for split in ("train", "valid", "test")]

    train, valid, test = names(seed=0)
    assert (len(train), len(valid), len(test)) == (5, 2, 3)
    assert sorted(train + valid + test) == [f"RM-P{number:03}" for number in range(1, 11)]
    assert names(seed=0) == [train, valid, test]
    assert names(seed=1)[2] != test


def test_the_test_pieces_do_not_depend_on_the_validation(root):
    assert Rwc(root, n_test=3, n_valid=5).split("test") == Rwc(root, n_test=3, n_valid=0).split("test")


def test_too_few_pieces(root):
    assert "holds 10 pieces, too few for data.n_test=20 and data.n_valid=16: lower them" in refusal(Rwc(root))
    assert "'train' of data=rwc is empty: change" in refusal(Rwc(root, n_test=10, n_valid=0))
    with pytest.raises(ConfigError, match="expected 0 or more"):
        Rwc(root, n_test=-1)


def test_missing_and_duplicate_files_are_errors(root, tmp_path_factory):
    corpus = Rwc(root, n_test=1, n_valid=1)
    (root / "cd1/RM-P004.wav").rename(root / "gone")
    assert "RM-P004.VOCA_INST.TXT: no audio RM-P004" in refusal(corpus)
    (root / "gone").rename(root / "cd1/RM-P004.wav")
    add(root, "cd2/004.wav")
    assert "are both piece 004" in refusal(corpus)
    (root / "cd2/004.wav").rename(root / "cd2/104.wav")
    assert "104.wav: no label file RM-P104" in refusal(corpus)
    empty = tmp_path_factory.mktemp("empty")
    assert "holds no audio with piece numbers" in refusal(Rwc(empty))
    add(empty, "001.wav")
    assert "holds no RM-P***.VOCA_INST.TXT files" in refusal(Rwc(empty))


def test_damaged_audio_and_labels_are_named(root):
    (root / "cd1/RM-P001.wav").write_text("no sound")
    corpus = Rwc(root, n_test=10, n_valid=0)
    assert "RM-P001.wav: not readable as audio" in refusal(corpus, "test")
    add(root, "cd1/RM-P001.wav", "001", "0\tb\r\n1\tquiet\r\n")
    assert "RM-P001.VOCA_INST.TXT:2: expected a label" in refusal(corpus, "test")
