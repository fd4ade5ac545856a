"""The folder layout, and the root and splits of all corpora."""

import unicodedata

import pytest

from svdx.corpora import Folder, Jamendo, Rwc, Segment, Stems, Track
from svdx.corpora.file_lists import files_below
from svdx.errors import CorpusError

NAMES = {"train": ["01 - Dr. No.ogg", "two.mp3"], "valid": ["three.wav"], "test": ["four.flac"]}


@pytest.fixture
def root(tmp_path):
    for folder in ("audio", "labels", "filelists", "vocals"):
        (tmp_path / folder).mkdir()
    for split, names in NAMES.items():
        (tmp_path / "filelists" / split).write_text("".join(f"{name}\n" for name in names))
        for name in names:
            (tmp_path / "audio" / name).touch()
            (tmp_path / "labels" / (name.rpartition(".")[0] + ".lab")).write_text("0 1 sing\n")
    return tmp_path


def refusal(root, split="train"):
    with pytest.raises(CorpusError) as error:
        Folder(root).split(split)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_tracks_in_list_order(root):
    (root / "vocals" / "01 - Dr. No.wav").touch()
    segments = (Segment(0, 1, True),)
    assert Folder(str(root)).split("train") == (
        Track("01 - Dr. No", root / "audio/01 - Dr. No.ogg", segments, root / "vocals/01 - Dr. No.wav"),
        Track("two", root / "audio/two.mp3", segments),
    )
    assert [track.name for track in Folder(root).split("valid")] == ["three"]


def test_names_without_extension_crlf_marks_and_blank_lines(root):
    (root / "filelists/train").write_bytes(b"\xef\xbb\xbf01 - Dr. No\r\n\r\n two \r\n")
    assert [track.name for track in Folder(root).split("train")] == ["01 - Dr. No", "two"]


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
def test_accents_in_any_encoding_and_composition(root, encoding):
    name = "déjà vu"
    (root / "filelists/train").write_bytes(f"{name}.ogg\n".encode(encoding))
    (root / "audio" / unicodedata.normalize("NFD", f"{name}.ogg")).touch()
    (root / "labels" / f"{name}.lab").write_text("0 1 nosing\n")
    assert [track.name for track in Folder(root).split("train")] == [name]


def test_a_missing_list_is_an_error_of_its_split_only(root):
    (root / "filelists/valid").unlink()
    assert Folder(root).split("train")
    assert refusal(root, "valid").startswith(f"{root}/filelists/valid is missing: write it")


def test_a_list_without_names(root):
    (root / "filelists/valid").write_text("\n")
    assert "the split 'valid' of data=folder is empty: add file names" in refusal(root, "valid")


@pytest.mark.parametrize("again", ["two.mp3", "two"])
def test_a_track_listed_twice_is_refused(root, again):
    (root / "filelists/test").write_text(f"four.flac\n{again}\n")
    first = root / "filelists/train"
    assert refusal(root, "valid") == (
        f"{root}/filelists/test:2: {again!r} is already listed at {first}:2; remove one of them"
    )


def test_missing_audio(root):
    (root / "filelists/train").write_text("two.mp3\nfive.ogg\n")
    assert refusal(root).startswith(f"{root}/filelists/train:2: {root}/audio has no 'five.ogg'")
    (root / "filelists/train").write_text("two.ogg\n")
    assert f"did you mean {root}/audio/two.mp3?" in refusal(root)


def test_a_list_cannot_name_files_outside_audio(root):
    (root / "filelists/train").write_text("../audio/two.mp3\n")
    assert "has no '../audio/two.mp3'" in refusal(root)


def test_a_name_that_could_be_two_files(root):
    (root / "audio/two.wav").touch()
    (root / "filelists/train").write_text("two\n")
    assert "could be" in refusal(root)
    (root / "filelists/train").write_text("two.wav\n")
    assert Folder(root).split("train")[0].audio == root / "audio/two.wav"


def test_missing_label_and_folder(root):
    (root / "labels/two.lab").unlink()
    assert refusal(root).startswith(f"{root}/labels/two.lab is missing: write it, 'start end sing'")
    (root / "audio").rename(root / "sound")
    assert refusal(root).startswith(f"{root}/audio is missing")


def test_two_voices(root):
    (root / "vocals/two.wav").touch()
    (root / "vocals/two.ogg").touch()
    assert "both the voice of 'two'" in refusal(root)


def test_label_extensions_ignore_case_and_two_label_files_are_refused(root):
    (root / "labels/two.lab").rename(root / "labels/two.LAB")
    labels = {track.name: track.labels.name for track in Folder(root).split("train")}
    assert labels["two"] == "two.LAB"
    (root / "labels/two.lab").write_text("0 1 sing\n")
    assert "two.LAB and two.lab both label 'two': keep only one of them" in refusal(root)


def test_an_error_names_the_label_file(root):
    (root / "labels/two.lab").write_text("0 1 sing\n1 2 singing\n")
    assert refusal(root).startswith(f"{root}/labels/two.lab:2: ")


def test_a_split_is_read_once(root):
    corpus = Folder(root)
    assert corpus.split("train") is corpus.split("train")


@pytest.mark.parametrize("corpus", [Folder, Jamendo, Rwc, Stems])
def test_every_corpus_needs_a_root_and_a_known_split(corpus, tmp_path):
    for nothing in (None, ""):
        with pytest.raises(CorpusError, match=rf"data={corpus.name} needs data\.root=DIR"):
            corpus(nothing)
    with pytest.raises(CorpusError, match=r"data\.root=.*nowhere does not exist"):
        corpus(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(CorpusError, match="is not a directory"):
        corpus(tmp_path / "file")
    with pytest.raises(CorpusError, match="unknown split 'training': expected one of train, valid, test"):
        corpus(tmp_path).split("training")


def test_home_directory(monkeypatch, root):
    monkeypatch.setenv("HOME", str(root))
    assert Folder("~").root == root


def test_circular_links(tmp_path):
    (tmp_path / "here").mkdir()
    (tmp_path / "here/song.wav").touch()
    (tmp_path / "here/.hidden").touch()
    (tmp_path / "here/again").symlink_to(tmp_path)
    assert list(files_below(tmp_path)) == [tmp_path / "here/song.wav"]


def test_a_root_may_be_a_number(root, monkeypatch):
    monkeypatch.chdir(root.parent)
    root.rename(root.parent / "2024")
    assert [track.name for track in Folder(2024).split("valid")] == ["three"]
