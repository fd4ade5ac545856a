"""The front end against the original program."""

from pathlib import Path

import numpy as np
import pytest
import torch

from svdx.audio import logmel as module
from svdx.audio.logmel import FrontEnd, mel_filterbank
from svdx.errors import ConfigError

GOLDEN = np.load(Path(__file__).parent.parent / "data/frontend.npz")
RATE = 22050


def tone(frequency, seconds=1.0, rate=RATE, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def test_logmel_equals_the_original_program(frontend):
    logmel = frontend(torch.from_numpy(GOLDEN["samples"]).double())
    torch.testing.assert_close(logmel, torch.from_numpy(GOLDEN["logmel"]).double(), atol=1e-5, rtol=0)


def test_filterbank_equals_the_original_program(frontend):
    assert frontend.filterbank.shape == (513, 80)
    np.testing.assert_allclose(frontend.filterbank.numpy(), GOLDEN["filterbank"], atol=1e-15, rtol=1e-12)


def test_a_band_without_bins_is_refused():
    with pytest.raises(ConfigError, match=r"band 0 holds no STFT bin"):
        mel_filterbank(RATE, 256, 80, 27.5, 8000)


@pytest.mark.parametrize(("n_samples", "n_frames"), [(0, 0), (1023, 0), (1024, 1), (1338, 1), (1339, 2), (22050, 67)])
def test_only_complete_frames_are_counted(frontend, n_samples, n_frames):
    assert frontend.n_frames(n_samples) == n_frames
    assert frontend(torch.zeros(2, n_samples)).shape == (2, n_frames, 80)


def test_n_samples_is_the_smallest_number_with_the_frames(frontend):
    for n_frames in (1, 2, 115):
        assert frontend.n_frames(frontend.n_samples(n_frames)) == n_frames
        assert frontend.n_frames(frontend.n_samples(n_frames) - 1) == n_frames - 1


def test_a_batch_equals_its_items(frontend):
    batch = torch.randn(2, 3, 3000, dtype=torch.float64)
    one_by_one = torch.stack([torch.stack([frontend(item) for item in row]) for row in batch])
    torch.testing.assert_close(frontend(batch), one_by_one, atol=1e-12, rtol=0)


def test_silence_is_the_logarithm_of_the_floor(frontend):
    assert frontend(torch.zeros(1024, dtype=torch.float64)).unique().tolist() == pytest.approx([np.log(1e-7)])


def test_a_tone_is_loudest_in_the_band_of_its_frequency(frontend):
    for band in (20, 40, 60):
        frequency = frontend.band_frequencies()[band].item()
        assert frontend(torch.from_numpy(tone(frequency, 0.1)))[0].argmax() == band


def test_settings_rebuild_the_front_end(frontend):
    assert FrontEnd(**frontend.settings).settings == frontend.settings
    assert frontend.frame_rate == 70


def test_edges_lie_between_the_centres_of_their_bands(frontend):
    edges, centres = frontend.band_edges(), frontend.band_frequencies()
    assert edges.shape == (81,)
    assert (edges[:-1] < centres).all() and (centres < edges[1:]).all()
    mel = 1127 * torch.log1p(edges.double() / 700)
    torch.testing.assert_close(mel.diff(), mel.diff().mean().expand(80), rtol=1e-3, atol=0)


def test_a_track_in_blocks_equals_the_track_at_once(frontend, monkeypatch):
    samples = torch.rand(20_000, dtype=torch.float64) * 2 - 1
    monkeypatch.setattr(module, "BLOCK_FRAMES", 7)
    torch.testing.assert_close(frontend.of_track(samples), frontend(samples).float())
    assert frontend.of_track(samples[:1000]).shape == (0, 80)
