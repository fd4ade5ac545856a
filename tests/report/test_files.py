"""WAV files of what an explanation keeps: nothing clips, and equal sounds are equal files."""

import pytest
import soundfile
import torch

from svdx.report.files import write_wav


@pytest.mark.parametrize("channels", [None, 1, 2, 6])
def test_samples_beyond_full_scale_come_back_as_they_are(tmp_path, channels):
    samples = 3 * torch.randn(*([channels] if channels else []), 500)
    write_wav(tmp_path / "a.wav", samples, 44100)
    written, rate = soundfile.read(tmp_path / "a.wav", dtype="float32", always_2d=True)
    assert rate == 44100 and written.shape == (500, channels or 1)
    assert torch.equal(torch.from_numpy(written.T), samples.view(-1, 500))
    assert abs(written).max() > 1


def test_equal_samples_give_equal_files_whenever_they_are_written(tmp_path):
    samples = torch.randn(2, 1000)
    for name in ("a", "b"):
        write_wav(tmp_path / f"{name}.wav", samples, 22050)
    data = (tmp_path / "a.wav").read_bytes()
    assert data == (tmp_path / "b.wav").read_bytes()
    peak = data.index(b"PEAK")
    assert data[peak + 8 : peak + 16] == bytes([1, 0, 0, 0, 0, 0, 0, 0])  # version, time
