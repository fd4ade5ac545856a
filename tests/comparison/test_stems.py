"""Stems of excerpts: the voice of exactly their frames."""

import numpy as np
import pytest
import soundfile
import torch

from svdx.comparison.stems import Stems, accompaniments
from svdx.corpora import Folder
from svdx.data.datamodule import ExcerptsData
from tests.conftest import RATE, write_corpus


@pytest.fixture
def excerpts(tmp_path, tiny_store):
    """Two test tracks; the first has a voice, a tone that comes in after three of its four seconds."""
    write_corpus(tmp_path, splits={"train": 1, "valid": 1, "test": 2})
    mix, _ = soundfile.read(tmp_path / "audio/test0.wav")
    time = np.arange(len(mix)) / RATE
    voice = 0.1 * (time >= 3) * np.sin(2 * np.pi * 3000 * time)
    (tmp_path / "vocals").mkdir()
    soundfile.write(tmp_path / "vocals/test0.wav", voice, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "audio/test0.wav", mix + voice, RATE, subtype="FLOAT")
    soundfile.write(tmp_path / "rest.wav", mix, RATE, subtype="FLOAT")
    data = ExcerptsData(Folder(tmp_path), tiny_store, sampling="all", test_hop=55)
    data.setup("test")
    return data.test_set


def test_stems_are_those_of_the_excerpts_frames(excerpts, frontend, tmp_path):
    whole = frontend.of_track(torch.from_numpy(soundfile.read(tmp_path / "rest.wav")[0]).float()).numpy()
    stems, began = Stems(excerpts, frontend), 3 * frontend.frame_rate
    for number in np.flatnonzero(excerpts.track_of == 0):
        start = excerpts.start_of[number]
        pair = stems(number)
        np.testing.assert_allclose(pair.accompaniment, whole[start : start + 115], atol=1e-2)
        audible = pair.voice.max(1) > np.log(1e-6)
        assert audible.any() == (start + 115 > began)
        if audible.any():
            assert start + audible.argmax() == pytest.approx(began, abs=4)  # a frame is 3.3 hops long


def test_missing_and_silent_voices_give_no_pair(excerpts, frontend, tmp_path, caplog):
    stems, other = Stems(excerpts, frontend), int(np.flatnonzero(excerpts.track_of == 1)[0])
    assert stems(other) is None
    assert accompaniments([None, stems(0)], 115, 80)[0].abs().sum() == 0
    soundfile.write(tmp_path / "vocals/test0.wav", np.zeros(4 * RATE), RATE)
    assert Stems(excerpts, frontend)(0) is None
    assert "silent" in caplog.text
