"""Decoding and resampling."""

import numpy as np
import pytest
import soundfile
import torch

from svdx.audio.reading import Sound, declared_length, decode, read, resample, resample_span
from svdx.errors import AudioError

RATE = 22050


def tone(frequency, seconds=1.0, rate=RATE, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def strength(samples, frequency, rate=RATE):
    """Amplitude of a tone in the middle of a sound."""
    middle = np.asarray(samples, float)[2048:-2048]
    window = np.hanning(len(middle))
    phase = np.exp(-2j * np.pi * frequency * np.arange(len(middle)) / rate)
    return 2 * abs((middle * window * phase).sum()) / window.sum()


def test_errors_of_the_disk_become_audio_errors():
    with pytest.raises(AudioError, match="cannot be read"):
        read("a" * 300 + ".wav")


def test_decoding_averages_the_channels(tmp_path):
    channels = np.random.default_rng(0).uniform(-1, 1, (500, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", channels, RATE, subtype="FLOAT")
    samples = decode(tmp_path / "a.wav", RATE)
    assert samples.dtype == torch.float32
    np.testing.assert_allclose(samples.numpy(), channels.mean(axis=1), atol=1e-7)


def test_reading_keeps_rate_channels_and_length(tmp_path):
    channels = np.random.default_rng(0).uniform(-1, 1, (44101, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", channels, 44100, subtype="FLOAT")
    sound = read(tmp_path / "a.wav")
    assert sound.rate == 44100
    assert np.array_equal(sound.samples.numpy(), channels.T)
    assert torch.equal(sound.mono(RATE), decode(tmp_path / "a.wav", RATE))
    assert sound.mono(RATE).shape == (22051,)


def test_files_longer_than_a_block_are_read_completely(tmp_path, monkeypatch):
    monkeypatch.setattr("svdx.audio.probe.BLOCK", 300)
    sound = np.random.default_rng(0).uniform(-1, 1, 1000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
    assert np.array_equal(decode(tmp_path / "a.wav", RATE).numpy(), sound)


@pytest.mark.parametrize("source_rate", [44100, 48000, 16000])
def test_resampling_keeps_length_frequency_and_amplitude_of_a_tone(source_rate):
    source = torch.from_numpy(tone(440, 1.001, source_rate)).float()
    samples = resample(source, source_rate, RATE)
    assert len(samples) == int(np.ceil(len(source) * RATE / source_rate))
    expected = tone(440, 2)[: len(samples)]
    np.testing.assert_allclose(samples[500:-500], expected[500:-500], atol=2e-3)


@pytest.mark.parametrize("rate", [8000, 11025, RATE, 32000, 44100, 48000, 96000])
def test_a_resampled_span_equals_that_of_the_whole(rate):
    sound = Sound(torch.rand(2, 2 * rate + 17) * 2 - 1, rate)
    whole = sound.mono(RATE)
    assert len(whole) == sound.length(RATE)
    for first in (0, 1, 313, RATE, len(whole) - 5000, len(whole) - 7, len(whole) + RATE):
        expected = whole[first : first + 5000]
        torch.testing.assert_close(sound.mono(RATE, slice(first, first + 5000)), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("source_rate", [8000, 16000, 44100, 48000, 96000])
@pytest.mark.parametrize("n", [0, 1, 5000, 30011])
def test_resampling_in_pieces_equals_resampling_at_once(source_rate, n, monkeypatch):
    samples = torch.randn(2, n)
    at_once = resample(samples, source_rate, RATE)
    monkeypatch.setattr("svdx.audio.reading.PIECE", 1001)
    assert at_once.shape == (2, -(-n * RATE // source_rate))
    torch.testing.assert_close(resample(samples, source_rate, RATE), at_once, atol=1e-6, rtol=0)


@pytest.mark.parametrize("source_rate", [44101, 22051, 1009, 44120, 191_999])
def test_odd_rates_keep_length_tones_and_spans_and_do_not_alias(source_rate):
    """Rates that share a small divisor with the result's, or none."""
    seconds, low, high = 2.5, min(440, source_rate / 5), 0.35 * source_rate
    source = torch.from_numpy(tone(low, seconds, source_rate) + tone(high, seconds, source_rate)).float()
    samples = resample(source, source_rate, RATE)
    assert len(samples) == -(-len(source) * RATE // source_rate) and samples.dtype == torch.float32
    expected = tone(low, seconds)[: len(samples)] + (tone(high, seconds)[: len(samples)] if high < RATE / 2.2 else 0)
    np.testing.assert_allclose(samples[3000:-3000], expected[3000 : len(samples) - 3000], atol=1e-3)
    channels = torch.stack([source, -source])
    for first in (0, 17, RATE, 2 * RATE + 300):
        span = resample_span(channels, source_rate, RATE, slice(first, first + 5000))
        torch.testing.assert_close(span[0], samples[first : first + 5000], atol=1e-5, rtol=0)
        assert torch.equal(span[1], -span[0])


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
def test_formats(tmp_path, extension):
    path = tmp_path / f"tone.{extension}"
    soundfile.write(path, tone(440, rate=44100), 44100)
    samples = decode(path, RATE)
    assert len(samples) == pytest.approx(RATE, abs=64)  # a frame at most
    assert declared_length(path, RATE) == pytest.approx(RATE, abs=1152)
    assert strength(samples, 440) == pytest.approx(0.5, rel=0.02)


def refusal(path):
    with pytest.raises(AudioError) as error:
        decode(path, RATE)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_files_without_audio_are_refused(tmp_path):
    assert "no such audio file" in refusal(tmp_path / "missing.wav")
    assert "no such audio file" in refusal(tmp_path)
    for name, content in {"empty.wav": b"", "text.mp3": b"la la la\n" * 50, "stump.wav": b"RIFF\x24\x00\x00"}.items():
        (tmp_path / name).write_bytes(content)
        assert "not readable as audio" in refusal(tmp_path / name)


def test_a_text_named_mp3_is_refused_and_the_decoder_prints_nothing(tmp_path, capfd):
    (tmp_path / "page.mp3").write_text("<html>no such song</html>\n" * 50)
    assert "not readable as audio" in refusal(tmp_path / "page.mp3")
    assert capfd.readouterr().err == ""


def test_an_mp3_after_other_bytes_is_found(tmp_path):
    soundfile.write(tmp_path / "a.mp3", tone(440), RATE)
    (tmp_path / "b.mp3").write_bytes(bytes(700) + (tmp_path / "a.mp3").read_bytes())
    assert strength(decode(tmp_path / "b.mp3", RATE), 440) == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(
    ("sound", "reason"),
    [([], "no samples"), ([0, 0, 0], "silent"), ([0, np.nan, 1], "not finite"), ([0, np.inf, 1], "not finite")],
)
def test_empty_silent_and_non_finite_sound_is_refused(tmp_path, sound, reason):
    soundfile.write(tmp_path / "a.wav", np.array(sound, np.float32), RATE, subtype="FLOAT")
    assert reason in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
def test_a_truncated_file_is_refused(tmp_path, extension):
    path = tmp_path / f"half.{extension}"
    soundfile.write(path, tone(440), RATE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refusal(path)


@pytest.mark.parametrize("extension", ["wav", "flac"])
def test_a_header_that_declares_too_many_samples_is_refused(tmp_path, extension):
    path = tmp_path / f"promise.{extension}"
    soundfile.write(path, tone(440), RATE)
    content = bytearray(path.read_bytes())
    # a wav's bytes of data; the end of the field in which a flac counts its samples
    field, order = {"wav": (slice(40, 44), "little"), "flac": (slice(22, 26), "big")}[extension]
    content[field] = (int.from_bytes(content[field], order) + 50_000).to_bytes(4, order)
    path.write_bytes(content)
    refusal(path)
