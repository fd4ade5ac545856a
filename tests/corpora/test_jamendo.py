"""Jamendo in all its layouts."""

import itertools
import zipfile

import pytest

from svdx.corpora import Jamendo, Segment
from svdx.errors import CorpusError

SONGS = {"train": ["01 - Dr. No.ogg", "02 - Two.mp3"], "valid": ["03 - Three.mp3"], "test": ["04 - Four.ogg"]}


def published(splits="lists"):
    """Contents of an archive: path → text."""
    files = {"jamendo/README.txt": "hello", "__MACOSX/jamendo/._01 - Dr. No.lab": "\0", "jamendo/.DS_Store": "\0"}
    for split, songs in SONGS.items():
        folder = {"lists": "music", "folders": split, "validation": split.replace("valid", "validation")}[splits]
        for song in songs:
            files[f"jamendo/audio/{folder}/{song}"] = song
            files[f"jamendo/jamendo_lab/{song[:-4]}.lab"] = "0 1 nosing\n1 2 sing\n"
    if splits == "lists":
        for split, songs in SONGS.items():
            files[f"jamendo/jam_{split}_list.txt"] = "".join(f"{song[:-4]}.trs\r\n" for song in reversed(songs))
    return files


def pack(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in files.items():
            target.writestr(name, content)
    return path


def lay_out(root, files):
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def names(root, split):
    return [track.name for track in Jamendo(root).split(split)]


def refusal(root, split="train"):
    with pytest.raises(CorpusError) as error:
        Jamendo(root).split(split)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("splits", ["lists", "folders", "validation"])
@pytest.mark.parametrize("given", ["archive", "its directory", "what was in it"])
def test_all_published_layouts_are_read(tmp_path, splits, given):
    if given == "what was in it":
        root = lay_out(tmp_path, published(splits))
    else:
        path = pack(tmp_path / "jamando.zip", published(splits))
        root = path if given == "archive" else tmp_path
    for _ in range(2):  # the second time it is unpacked already
        assert sorted(names(root, "train")) == ["01 - Dr. No", "02 - Two"]
        assert names(root, "valid") == ["03 - Three"]
    track = Jamendo(root).split("test")[0]
    assert track.audio.read_text() == "04 - Four.ogg"
    assert [segment.vocal for segment in track.segments] == [False, True]


def test_lists_give_the_order(tmp_path):
    assert names(lay_out(tmp_path, published("lists")), "train") == ["02 - Two", "01 - Dr. No"]


@pytest.mark.parametrize("depth", ["", "jamando/", "a/b/"])
def test_the_folder_layout_wherever_it_lies(tmp_path, depth):
    files = {f"{depth}filelists/{split}": "\n".join(songs) for split, songs in SONGS.items()}
    for song in itertools.chain(*SONGS.values()):
        files[f"{depth}audio/{song}"] = files[f"{depth}vocals/{song[:-4]}.wav"] = song
        files[f"{depth}labels/{song[:-4]}.lab"] = "0 1 sing"
    lay_out(tmp_path, files)
    assert names(tmp_path, "train") == ["01 - Dr. No", "02 - Two"]
    assert Jamendo(tmp_path).split("train")[0].vocals is not None


def test_label_files_may_end_in_capitals(tmp_path):
    lay_out(tmp_path, {"train/a.ogg": "", "lab/a.LAB": "0 1 sing"})
    (track,) = Jamendo(tmp_path).split("train")
    assert track.segments == (Segment(0, 1, True),) and track.labels == tmp_path / "lab/a.LAB"


def test_an_unexpected_number_of_tracks_is_a_warning(tmp_path, caplog):
    names(lay_out(tmp_path, published()), "train")
    assert "2 tracks in the split 'train'; Jamendo has 61" in caplog.text


def test_a_directory_without_labelled_audio_is_an_error(tmp_path):
    assert "contains no audio with .lab files: download jamando.zip" in refusal(tmp_path)
    lay_out(tmp_path, {"train/a.ogg": "", "jam_annote.tar.gz": ""})
    assert "contains no .lab files: unpack jam_annote.tar.gz there" in refusal(tmp_path)


def test_missing_and_duplicate_files_are_errors(tmp_path):
    files = published("folders")
    lay_out(tmp_path, files)
    (tmp_path / "jamendo/jamendo_lab/02 - Two.lab").rename(tmp_path / "jamendo/gone")
    assert "found audio '02 - Two' but no 02 - Two.lab" in refusal(tmp_path)
    (tmp_path / "jamendo/gone").rename(tmp_path / "jamendo/jamendo_lab/02 - Two.lab")
    lay_out(tmp_path, {"jamendo/other/02 - Two.lab": "0 2 sing"})
    assert "contradict each other" in refusal(tmp_path)
    lay_out(tmp_path, {"jamendo/other/02 - Two.lab": files["jamendo/jamendo_lab/02 - Two.lab"]})
    assert len(names(tmp_path, "train")) == 2
    lay_out(tmp_path, {"jamendo/audio/test/02 - Two.mp3": ""})
    assert "are both '02 - Two'" in refusal(tmp_path)


def test_unknown_and_overlapping_splits_are_errors(tmp_path):
    lay_out(tmp_path, {"a.ogg": "", "a.lab": "0 1 sing"})
    assert f"cannot tell which tracks are in the split 'valid': write {tmp_path}/filelists/valid" in refusal(
        tmp_path, "valid"
    )
    lay_out(tmp_path, {"jam_train_list.txt": "a.trs", "jam_test_list.txt": "a.trs"})
    assert "is already listed at" in refusal(tmp_path)
