"""Stages of the augmentation against values worked out by hand, and at zero strength."""

import math

import pytest
import torch

from svdx.data.augment import Augment, filter_response, interpolation, shifted_filterbank, stretched_frames
from svdx.errors import ConfigError


@pytest.fixture(scope="module")
def augment(frontend):
    return Augment(frontend, max_stretch=0.3, max_shift=0.3, max_db=10.0)


@pytest.fixture
def neutral(frontend):
    return Augment(frontend, max_stretch=0.0, max_shift=0.0, max_db=0.0)


def noise(frontend, frames, n=1):
    return torch.rand(n, frontend.n_samples(frames)) - 0.5


def logmel(augment, samples):
    """Augmented log-mels of non-vocal excerpts."""
    n_frames = augment.frontend.n_frames(samples.shape[1])
    return augment(samples, torch.zeros(len(samples), n_frames, dtype=torch.bool))[0]


def test_interpolation_by_hand():
    weights = interpolation(torch.tensor([[0.0, 1.25, 2.0, -0.5, 2.75, 9.0]]), 3)
    by_hand = [[1, 0, 0], [0, 0.75, 0.25], [0, 0, 1], [0.5, 0, 0], [0, 0, 0.25], [0, 0, 0]]
    torch.testing.assert_close(weights[0], torch.tensor(by_hand))


@pytest.mark.parametrize("frames", [115, 165])
def test_without_strength_it_gives_the_plain_logmel_of_the_middle(frontend, neutral, frames):
    samples = noise(frontend, frames, n=2)
    skipped = (frames - 115) // 2
    torch.testing.assert_close(
        logmel(neutral, samples), frontend(samples)[:, skipped : skipped + 115], atol=1e-4, rtol=0
    )


@pytest.mark.parametrize("shift", [0.7, 1.0, 1.2])
def test_a_shift_reads_the_spectrum_at_its_inverse(frontend, shift):
    def bell(bins):
        return torch.exp(-0.5 * ((bins - 100) / 10) ** 2)

    bins = torch.arange(513, dtype=torch.float64)
    shifted = bell(bins) @ shifted_filterbank(frontend.filterbank, torch.tensor([shift]).double())[0]
    torch.testing.assert_close(shifted, bell(bins / shift) @ frontend.filterbank, atol=2e-3, rtol=0)


@pytest.mark.parametrize(("drawn", "factor"), [(0, 0.7), (60, 1.0), (90, 1.15), (120, 1.3)])
def test_a_shift_multiplies_the_frequency_of_a_tone(frontend, augment, drawn, factor):
    assert len(augment.shifted) == 121  # -30 % to 30 % in steps of half a per cent
    time = torch.arange(1024) / frontend.sample_rate
    spectrum, moved = (
        frontend.spectrum(torch.sin(2 * math.pi * frequency * time)) for frequency in (1000, factor * 1000)
    )
    assert (spectrum @ augment.shifted[drawn]).argmax() == frontend.mel(moved).argmax()


def test_stretching_is_about_the_middle():
    positions = stretched_frames(torch.tensor([0.7, 1.0, 1.3]), n_frames=164, frames=115)
    torch.testing.assert_close((positions[:, 57] + positions[:, 58]) / 2, torch.full((3,), 82.0))  # 57.5 stays at 82
    torch.testing.assert_close(
        positions.diff(), (1 / torch.tensor([[0.7], [1.0], [1.3]])).expand(3, 114), atol=1e-4, rtol=0
    )


@pytest.mark.parametrize(("drawn", "stretch"), [(0.0, 0.7), (0.5, 1.0), (1.0, 1.3)])
def test_stretching_moves_an_onset_away_from_the_middle(frontend, monkeypatch, drawn, stretch):
    augment = Augment(frontend, max_stretch=0.3, max_shift=0.0, max_db=0.0)
    samples = noise(frontend, augment.window)
    onset = 62.5  # of 165 frames: 20 before the middle
    samples[:, : int(onset * frontend.hop) + frontend.frame_length // 2] = 0
    monkeypatch.setattr(torch, "rand", lambda n, device: torch.full((n,), drawn))
    loud = logmel(augment, samples)[0].mean(1) > -5
    moved = int(loud.int().argmax())
    assert loud[moved:].all()
    assert moved == pytest.approx(57.5 - 20 * stretch, abs=2.5)  # a frame is three hops long


def test_the_filter_is_a_bell_in_decibels():
    gains = filter_response(
        centre=torch.tensor([1000.0]),
        width=torch.tensor([12.0]),  # an octave: the bell's deviation is 1000 Hz
        strength=torch.tensor([6.0]),
        frequencies=torch.tensor([0.0, 1000, 2000, 3000]),
    )
    decibels = [6 * math.exp(-0.5), 6, 6 * math.exp(-0.5), 6 * math.exp(-2)]
    torch.testing.assert_close(gains, torch.tensor([[10 ** (d / 20) for d in decibels]]))


def test_the_random_filter_stays_within_its_decibels(frontend):
    augment = Augment(frontend, max_stretch=0.0, max_shift=0.0, max_db=10.0)
    samples = noise(frontend, 115).expand(64, -1)
    decibels = (logmel(augment, samples) - frontend(samples)) * 20 / math.log(10)
    assert decibels.abs().max() < 10.01
    assert decibels.max() > 5
    assert decibels.min() < -5
    torch.testing.assert_close(decibels, decibels[:, :1].expand_as(decibels), atol=1e-2, rtol=0)  # the same in time


def test_the_window_suffices_for_the_strongest_compression(augment):
    assert augment.window == 165
    slowest = stretched_frames(torch.tensor([0.7]), augment.window, 115)
    assert slowest.min() >= 0
    assert slowest.max() <= augment.window - 1


def test_drawn_for_each_excerpt_and_repeatable(frontend, augment):
    samples = noise(frontend, augment.window).expand(2, -1)
    first = logmel(augment, samples)
    assert first.shape == (2, 115, 80)
    assert first.isfinite().all()
    assert (first[0] - first[1]).abs().mean() > 0.01
    torch.manual_seed(5)
    second = logmel(augment, samples)
    torch.manual_seed(5)
    assert torch.equal(logmel(augment, samples), second)
    assert not torch.equal(first, second)


def test_the_label_is_that_of_the_middle_frame(frontend, neutral):
    vocal = torch.arange(115)[None] == torch.tensor([[57], [56], [58]])
    assert neutral(noise(frontend, 115, n=3), vocal)[1].tolist() == [[True], [False], [False]]


def test_a_strip_is_labelled_at_the_middle_of_each_of_its_excerpts(frontend, monkeypatch):
    augment = Augment(frontend, max_stretch=0.3, max_shift=0.0, max_db=0.0, strip=3)
    assert (augment.frames, augment.window) == (133, 190)
    samples = noise(frontend, augment.window)
    singing = torch.arange(augment.window) >= 96  # the middle, 95, is frame 66.5 of the strip
    for drawn in (0.0, 0.5, 1.0):
        monkeypatch.setattr(torch, "rand", lambda n, device, drawn=drawn: torch.full((n,), drawn))
        logmels, vocal = augment(samples, singing[None])
        assert logmels.shape == (1, 133, 80)
        assert vocal.tolist() == [[False, False, True]]  # the excerpts' middles are frames 57, 66 and 75


@pytest.mark.parametrize("odd", [{"max_stretch": 1.0}, {"max_stretch": -0.1}, {"max_shift": 1.5}, {"strip": 0}])
def test_options_out_of_range_are_refused(frontend, odd):
    (key,) = odd
    with pytest.raises(ConfigError, match=f"{key}={odd[key]}: expected"):
        Augment(frontend, **{"max_stretch": 0.3, "max_shift": 0.3, "max_db": 10.0, **odd})
