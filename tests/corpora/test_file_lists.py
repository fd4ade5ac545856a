"""Listing audio files and ignoring system files."""

import os

import pytest

from svdx.corpora.file_lists import entries_of, files_below, stem, track_name
from svdx.corpora.loose_files import audio_files, track_at
from svdx.corpora.track import Segment
from svdx.errors import AudioError, CorpusError

LEFTOVERS = (
    "@eaDir/a.mp3",
    "__MACOSX/b.mp3",
    "#recycle/c.mp3",
    "$RECYCLE.BIN/d.mp3",
    "lost+found/e.mp3",
    ".x/f.mp3",
)


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


ENDINGS = ["m4a", "aac", "mp4", "wma", "webm", "mka", "opus", "M4A", "flac", "ogg", "mp3", "wav", "m4b", "wv"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_directory_of_any_kind_of_audio(tmp_path, ending):
    touch(tmp_path, f"a.{ending}", f"b.{ending}", "c.txt", "d.jpg", "e.m3u8")
    assert [path.name for path in audio_files(str(tmp_path))] == [f"a.{ending}", f"b.{ending}"]
    assert len(audio_files(f"{tmp_path}/*.*")) == 2


def test_system_files_are_ignored(tmp_path):
    touch(tmp_path, "a.mp3", "deep/b.mp3", "._a.mp3", ".DS_Store", "THUMBS.DB", "desktop.ini", *LEFTOVERS)
    assert [path.name for path in entries_of(tmp_path)] == ["a.mp3", "deep"]
    assert [path.name for path in files_below(tmp_path)] == ["a.mp3", "b.mp3"]
    assert [path.name for path in audio_files(f"{tmp_path}/**/*.mp3")] == ["a.mp3", "b.mp3"]
    assert [path.name for path in audio_files(f"{tmp_path}/#recycle/*.mp3")] == ["c.mp3"]  # named explicitly
    with pytest.raises(AudioError, match="no audio files found"):
        audio_files(f"{tmp_path}/*.db")


def test_a_stem_file_contains_the_voice(tmp_path):
    touch(tmp_path, "A - Song.stem.mp4")
    track = track_at(tmp_path / "A - Song.stem.mp4")
    assert (track.name, track.vocals, track.voice_number, track.segments) == ("A - Song", track.audio, 4, ())
    (tmp_path / "A - Song.lab").write_text("0 1 sing\n")
    assert track_at(track.audio).segments == (Segment(0, 1, True),)
    assert stem(track.audio) == track_name("A - Song.stem.mp4") == "A - Song"


def test_an_unreadable_directory_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "album").mkdir()
    scandir = os.scandir

    def forbidden(path):
        if str(path).endswith("album"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(CorpusError, match=r"album: cannot be read \(Permission denied\); check its permissions"):
        list(files_below(tmp_path))
