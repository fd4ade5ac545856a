"""Masked sound at any sample rate and with any number of channels."""

import numpy as np
import pytest
import torch

from svdx.audio import masking as sound
from svdx.audio.masking import bin_shares, interpolated, masked_sound, overlap_add
from svdx.audio.reading import resample

RATE, RATES = 22050, (16000, 22050, 44100, 48000)


def tone(frequency, seconds=1.0, rate=RATE, amplitude=0.5):
    return amplitude * torch.sin(2 * torch.pi * frequency * torch.arange(round(seconds * rate)).double() / rate)


def strength(samples, frequency, rate=RATE):
    """Amplitude of a tone in the middle of a sound."""
    middle = np.asarray(samples, float)[2 * rate // 20 : -2 * rate // 20]
    window = np.hanning(len(middle))
    phase = np.exp(-2j * np.pi * frequency * np.arange(len(middle)) / rate)
    return 2 * abs((middle * window * phase).sum()) / window.sum()


def n_frames(frontend, n, rate):
    """How many frames the front end hears in n samples of a sound at another rate."""
    return frontend.n_frames(resample(torch.zeros(n), rate, RATE).shape[-1])


def test_shares_of_bins_by_hand():
    shares = bin_shares(torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 3], [0, 0]]))
    torch.testing.assert_close(shares, torch.tensor([[1.0, 0], [1, 0], [0.5, 0.5], [0, 1], [0, 1]]))


def test_bins_beyond_the_bands_follow_the_nearest_band(frontend):
    hertz = torch.arange(513) * RATE / 1024
    shares = bin_shares(frontend.filterbank)
    assert (shares[hertz < 27.5, 0] == 1).all()
    assert (shares[hertz > 8000, 79] == 1).all()
    assert shares.min() >= 0
    torch.testing.assert_close(shares.sum(1), torch.ones(513).double())


def test_interpolation_between_and_beyond_rows():
    rows = torch.tensor([[0.0, 8], [1, 4], [1, 1]])
    assert interpolated(rows, torch.tensor([-3, 0, 0.25, 1, 2, 2.5])).tolist() == [
        [0, 8], [0, 8], [0.25, 7], [1, 4], [1, 1], [1, 1]
    ]  # fmt: skip


@pytest.mark.parametrize("n", [1024, 1024 + 314, 36934, 37000])
def test_an_all_ones_mask_returns_the_samples(frontend, n):
    samples = torch.rand(n) * 2 - 1
    kept = masked_sound(samples, torch.ones(frontend.n_frames(n), 80), frontend)
    assert kept.dtype == samples.dtype
    torch.testing.assert_close(kept, samples, atol=1e-6, rtol=0)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", [8000, 11025, *RATES, 96000])
def test_kept_and_removed_sum_to_the_whole_at_any_rate_and_in_every_channel(frontend, rate, channels):
    samples = torch.rand(channels, rate // 2 + 7) * 2 - 1
    mask = (torch.rand(n_frames(frontend, samples.shape[1], rate), 80) > 0.5).float()
    kept, removed, whole = (masked_sound(samples, m, frontend, rate) for m in (mask, 1 - mask, torch.ones_like(mask)))
    assert kept.shape == samples.shape and kept.dtype == samples.dtype
    assert min(kept.abs().max(), removed.abs().max()) > 0.1
    torch.testing.assert_close(kept + removed, samples, atol=1e-6, rtol=0)
    torch.testing.assert_close(whole, samples, atol=1e-6, rtol=0)


def test_channels_are_masked_independently(frontend):
    samples = torch.rand(2, 48000) * 2 - 1
    mask = (torch.rand(n_frames(frontend, 48000, 48000), 80) > 0.5).float()
    alone = torch.stack([masked_sound(channel, mask, frontend, 48000) for channel in samples])
    torch.testing.assert_close(masked_sound(samples, mask, frontend, 48000), alone)


@pytest.mark.parametrize("rate", RATES)
def test_a_mask_of_one_band_keeps_the_tone_in_it_and_removes_one_outside(frontend, rate):
    inside, outside = (float(frontend.band_frequencies()[band]) for band in (65, 55))
    samples = tone(inside, rate=rate) + tone(outside, rate=rate)
    mask = torch.zeros(n_frames(frontend, rate, rate), 80)
    mask[:, 65] = 1
    kept = masked_sound(samples, mask, frontend, rate)
    assert strength(kept, inside, rate) > 0.4
    assert strength(kept, outside, rate) < 5e-4


@pytest.mark.parametrize(("low", "high", "split"), [(300, 3000, 1000), (3000, 10000, 7700)])
@pytest.mark.parametrize("rate", [RATE, 44100, 48000])
def test_a_mask_of_low_bands_keeps_a_low_tone_and_removes_a_high_one(frontend, low, high, split, rate):
    samples = tone(low, rate=rate) + tone(high, rate=rate)
    bands = (frontend.band_frequencies() < split).float()
    kept = masked_sound(samples, bands.expand(n_frames(frontend, rate, rate), -1), frontend, rate)
    assert strength(kept, low, rate) == pytest.approx(0.5, rel=1e-3)
    assert strength(kept, high, rate) < 5e-4


def test_frequencies_above_the_front_ends_follow_the_top_band(frontend):
    samples = tone(15000, rate=44100)
    top = torch.zeros(n_frames(frontend, 44100, 44100), 80)
    top[:, 79] = 1
    assert strength(masked_sound(samples, top, frontend, 44100), 15000, 44100) == pytest.approx(0.5, rel=1e-3)
    assert strength(masked_sound(samples, 1 - top, frontend, 44100), 15000, 44100) < 5e-4


@pytest.mark.parametrize("rate", RATES)
def test_a_mask_in_time_keeps_the_right_seconds(frontend, rate):
    samples = torch.ones(rate)
    mask = torch.zeros(n_frames(frontend, rate, rate), 80)
    mask[35:] = 1  # frame 35 begins at 0.5 s
    kept = masked_sound(samples, mask, frontend, rate)
    begins, complete = (round(rate * (35 * 315 + beyond) / RATE) for beyond in (-315, 1024 + 315))
    torch.testing.assert_close(kept[complete:], samples[complete:])
    assert kept[:begins].abs().max() < 1e-6


@pytest.mark.parametrize("rate", RATES)
def test_an_excerpt_cut_from_a_tone_that_the_mask_removes_has_no_click_at_its_borders(frontend, rate):
    samples, span = tone(220, 3.0, rate), slice(rate, 2 * rate)
    above = (frontend.band_frequencies() > 1000).float().expand(n_frames(frontend, rate, rate), -1)
    kept = masked_sound(samples, above, frontend, rate, span)
    assert kept.shape == (rate,) and kept.abs().max() < 1e-3  # of 0.5; 0.24 if the tone began with the excerpt


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("rate", RATES)
def test_kept_and_removed_sum_to_an_excerpt_wherever_it_lies(frontend, rate, channels):
    samples = torch.rand(channels, 2 * rate) * 2 - 1
    mask = (torch.rand(n_frames(frontend, rate, rate), 80) > 0.5).float()
    for first in (0, 17, rate // 2, rate):  # the first and the last lie at the sound's own ends
        span = slice(first, first + rate)
        kept, removed = (masked_sound(samples, m, frontend, rate, span) for m in (mask, 1 - mask))
        assert min(kept.abs().max(), removed.abs().max()) > 0.1
        torch.testing.assert_close(kept + removed, samples[:, span], atol=1e-6, rtol=0)


def test_the_inside_of_an_excerpt_does_not_depend_on_the_sound_around_it(frontend):
    samples, span = torch.rand(3 * RATE) * 2 - 1, slice(RATE, 2 * RATE)
    mask = (torch.rand(frontend.n_frames(RATE), 80) > 0.5).float()
    alone, among = masked_sound(samples[span], mask, frontend), masked_sound(samples, mask, frontend, span=span)
    torch.testing.assert_close(among[1024:-1339], alone[1024:-1339], atol=1e-6, rtol=0)
    assert (among - alone).abs().max() > 1e-2


def test_masking_a_resampled_sound_equals_masking_the_sound(frontend):
    times = torch.arange(RATE * 2).double() / RATE
    samples = sum(tone(hertz, 2.0) * torch.sin(hertz * times) for hertz in (150, 400, 1100, 2500, 5000))
    mask = torch.nn.functional.avg_pool2d(torch.rand(1, 1, frontend.n_frames(2 * RATE) + 8, 88), 9, 1)[0, 0]
    mask = (mask > mask.median()).float()
    expected = masked_sound(samples, mask, frontend)
    for rate in (44100, 48000):
        kept = masked_sound(resample(samples, RATE, rate), mask, frontend, rate)
        difference = (resample(kept, rate, RATE) - expected)[RATE // 10 : -RATE // 10]
        assert difference.square().mean() < 3e-4 * expected.square().mean(), rate


def test_a_mask_with_another_number_of_frames_is_refused(frontend):
    with pytest.raises(ValueError, match="114 frames of mask for 115"):
        masked_sound(torch.zeros(frontend.n_samples(115)), torch.ones(114, 80), frontend)
    with pytest.raises(ValueError, match="115 frames of mask for 56"):
        masked_sound(torch.zeros(frontend.n_samples(115)), torch.ones(115, 80), frontend, 44100)


def test_overlap_add_by_hand():
    frames = torch.tensor([[1.0, 2, 3], [10, 20, 30]])
    assert overlap_add(frames, 2).tolist() == [1, 2, 13, 20, 30]
    assert overlap_add(torch.stack([frames, -frames]), 2).tolist() == [[1, 2, 13, 20, 30], [-1, -2, -13, -20, -30]]


def test_masking_in_blocks_equals_masking_at_once(frontend, monkeypatch):
    samples = torch.rand(20_000, dtype=torch.float64) * 2 - 1
    mask = (torch.rand(frontend.n_frames(len(samples)), 80) > 0.5).float()
    at_once = masked_sound(samples, mask, frontend)
    monkeypatch.setattr(sound, "BLOCK_FRAMES", 7)
    torch.testing.assert_close(masked_sound(samples, mask, frontend), at_once, atol=1e-12, rtol=0)
