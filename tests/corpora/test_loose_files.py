"""The files that audio= selects, and the default excerpt without it."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from svdx.audio.reading import read
from svdx.batch.request import identity
from svdx.commands.explain import first_singing
from svdx.corpora.loose_files import audio_files, is_directory_or_pattern
from svdx.corpora.track import Segment, Track
from svdx.errors import AudioError, CorpusError


def test_broken_links_are_listed(tmp_path):
    for name in ("a.wav", "b.mp3", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "lost.wav").symlink_to(tmp_path / "nowhere.wav")
    expected = [tmp_path / name for name in ("a.wav", "b.mp3", "lost.wav")]
    assert audio_files(str(tmp_path)) == audio_files(f"{tmp_path}/*") == expected


@pytest.mark.parametrize("ask", [read, identity])
def test_a_broken_link_is_an_error(tmp_path, ask):
    path = tmp_path / "lost.wav"
    path.symlink_to("nowhere.wav")
    with pytest.raises(AudioError, match=r"lost\.wav: broken link to nowhere\.wav$"):
        ask(path)
    with pytest.raises(AudioError, match=r"none\.wav: no such audio file$"):
        ask(tmp_path / "none.wav")


@pytest.mark.parametrize("pattern", ["", "/*.wav", "/**/*.wav"])
def test_an_unreadable_folder_is_an_error(tmp_path, monkeypatch, pattern):
    def forbidden(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", forbidden)
    with pytest.raises(CorpusError, match=rf"{tmp_path}: cannot be read \(Permission denied\)"):
        audio_files(str(tmp_path) + pattern)


def test_the_error_without_audio_lists_other_extensions(tmp_path):
    for name in ("a.txt", "b.PDF", "README"):
        (tmp_path / name).touch()
    message = r"no audio files found; found only \.PDF, \.txt, README; supported are wav, flac"
    with pytest.raises(AudioError, match=message):
        audio_files(str(tmp_path))
    with pytest.raises(AudioError, match=rf"{tmp_path}/\*\.wav: no audio files found$"):
        audio_files(f"{tmp_path}/*.wav")


class Corpus:
    root = "music"

    def __init__(self, *tracks):
        self.tracks = tracks

    def split(self, name):
        return self.tracks


def track(place, seconds, *segments):
    path = place / f"{seconds}.wav"
    soundfile.write(path, np.ones(round(seconds * 22050)), 22050)
    return Track(path.stem, path, tuple(Segment(*segment) for segment in segments))


def test_the_first_vocal_excerpt_lies_within_its_track(tmp_path, frontend):
    short, long = track(tmp_path, 1.0, (0.2, 1.0, True)), track(tmp_path, 5.0, (0.0, 4.9, False), (4.9, 5.0, True))
    found, start = first_singing(Corpus(short, long), frontend)
    assert found is long and 3.3 < start < 3.4  # 1.68 s before the end, not at 4.9 s
    early = track(tmp_path, 6.0, (1.0, 2.0, True))
    assert first_singing(Corpus(early, long), frontend) == (early, 1.0)
    with pytest.raises(CorpusError, match="nobody sings in the test split"):
        first_singing(Corpus(short), frontend)


def test_an_invalid_file_name_is_an_error():
    assert not is_directory_or_pattern("x" * 5000)
    with pytest.raises(AudioError, match="cannot be read"):
        read("x" * 5000)
    with pytest.raises(AudioError, match="cannot be read"):
        identity(Path("x" * 5000))
