"""The mix to mono: stereo is averaged, more channels follow ITU-R BS.775."""

import numpy as np
import pytest
import soundfile
import torch

from svdx.audio.downmix import WEIGHTS, weights
from svdx.audio.reading import Sound, decode, read
from tests.support.recordings import RATE, encoded

FRONT = ("FL", "FR")
SURROUND = {
    "5.1": ("FL", "FR", "FC", "LFE", "BL", "BR"),
    "5.1(side)": ("FL", "FR", "FC", "LFE", "SL", "SR"),
    "7.1": ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
    "quad": ("FL", "FR", "BL", "BR"),
    "5.0": ("FL", "FR", "FC", "BL", "BR"),
    "6.1": ("FL", "FR", "FC", "LFE", "BC", "SL", "SR"),
    "2.1": ("FL", "FR", "LFE"),
}


def noise(channels, n=RATE // 2):
    return np.random.RandomState(0).uniform(-0.1, 0.1, (channels, n)).astype(np.float32)


def test_weights_follow_the_recommendation():
    left, right = np.array([[1, 0, 0.7071, 0, 0.7071, 0], [0, 1, 0.7071, 0, 0, 0.7071]])  # its table for two channels
    assert weights(SURROUND["5.1"]) == pytest.approx((left + right) / 2, abs=1e-4)
    assert weights(FRONT) == (0.5, 0.5) and weights(("FC",)) == (1,)
    assert weights([""] * 6) == weights(SURROUND["5.1"]) and weights([""] * 8) == weights(SURROUND["7.1"])
    assert weights([""] * 5) == (0.2,) * 5
    assert weights(("FL", "FR", "AMBI0")) == (1 / 3,) * 3  # a place that nobody knows


@pytest.mark.parametrize("layout", SURROUND)
def test_music_in_the_front_pair_is_as_loud_as_in_stereo(tmp_path, layout):
    channels = np.zeros((len(SURROUND[layout]), RATE // 2), np.float32)
    channels[:2] = noise(2)
    (tmp_path / "a.wav").write_bytes(encoded(channels, "pcm_f32le", "wav", layout=layout))
    mixed = decode(tmp_path / "a.wav", RATE)
    torch.testing.assert_close(mixed, torch.from_numpy(channels[:2].mean(0)), atol=1e-7, rtol=0)


@pytest.mark.parametrize("layout", ["5.1", "7.1", "quad"])
@pytest.mark.parametrize(("codec", "container"), [("pcm_s24le", "wav"), ("flac", "flac"), ("flac", "ogg")])
def test_all_ways_of_reading_mix_alike_and_keep_the_channels(tmp_path, layout, codec, container):
    channels = noise(len(SURROUND[layout]))
    (tmp_path / "a").write_bytes(encoded(channels, codec, container, layout=layout))
    sound, expected = read(tmp_path / "a"), sum(WEIGHTS[name] * row for name, row in zip(SURROUND[layout], channels))
    np.testing.assert_allclose(sound.samples.numpy(), channels, atol=1e-4)
    for mono in (sound.mono(RATE), decode(tmp_path / "a", RATE), sound.mono(RATE, slice(0, channels.shape[1]))):
        np.testing.assert_allclose(mono.numpy(), expected, atol=3e-4)
    torch.testing.assert_close(sound.mono(22050, slice(100, 900)), sound.mono(22050)[100:900], atol=1e-6, rtol=0)
    torch.testing.assert_close(sound.cut(slice(5, 99)).mono(RATE), sound.mono(RATE)[5:99])


def test_eight_planar_channels_stay_separate(tmp_path):
    """Their frames hold each channel in a plane of its own, of which PyAV would read one too many."""
    time = np.arange(48000) / 48000
    channels = np.stack([0.2 * np.sin(2 * np.pi * 300 * (n + 1) * time) for n in range(8)]).astype(np.float32)
    content = encoded(channels, "libopus", "ogg", rate=48000, layout="7.1", bit_rate=512_000)
    (tmp_path / "a.opus").write_bytes(content)
    strongest = np.abs(np.fft.rfft(read(tmp_path / "a.opus").samples.numpy()[:, :48000])).argmax(1)
    assert strongest.tolist() == [300 * (n + 1) for n in range(8)]


def test_channels_in_another_order_are_mixed_by_their_names(tmp_path):
    """mov names channels in its own order. PyAV frees such a list twice, which ended the process."""
    channels = noise(6)
    content = bytearray(encoded(channels, "pcm_s16le", "mov", layout="5.1"))
    place = content.index(b"chan") + 8
    content[place : place + 12] = (123 << 16 | 6).to_bytes(4, "big") + bytes(8)  # left, centre, right, surround, low
    (tmp_path / "a.mov").write_bytes(content)
    for _ in range(20):
        sound = read(tmp_path / "a.mov")
    expected = np.array([0.5, 0.5**0.5, 0.5, 0.5**1.5, 0.5**1.5, 0]) @ channels
    np.testing.assert_allclose(sound.mono(RATE).numpy(), expected, atol=1e-4)


def test_many_channels_are_averaged(tmp_path):
    channels = noise(12)
    soundfile.write(tmp_path / "a.wav", channels.T, RATE, subtype="FLOAT")
    np.testing.assert_allclose(decode(tmp_path / "a.wav", RATE).numpy(), channels.mean(0), atol=1e-7)
    assert torch.equal(Sound(torch.ones(3, 5), RATE).mono(RATE), torch.ones(5))
