"""Sound that is silent, cancelled, not finite or of another scale is refused with the reason."""

import numpy as np
import pytest
import soundfile

from svdx.audio.reading import decode, read
from svdx.corpora.stems import vocal_segments
from svdx.errors import AudioError, CorpusError
from tests.support.recordings import RATE, encoded, tones


def music(channels=1, level=0.2):
    return level * np.random.RandomState(0).standard_normal((RATE, channels)).clip(-4, 4)


def written(tmp_path, samples, subtype="FLOAT"):
    soundfile.write(tmp_path / "a.wav", samples, RATE, subtype=subtype)
    return tmp_path / "a.wav"


def refusal(path):
    with pytest.raises(AudioError) as error:
        read(path)
    with pytest.raises(AudioError):
        decode(path, RATE)
    assert str(path) in str(error.value) and "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
@pytest.mark.parametrize("level", [1, 0.3])
def test_float_samples_of_another_scale_are_refused(tmp_path, bits, subtype, level):
    path = written(tmp_path, music() / 0.8 * level * 2 ** (bits - 1), subtype)
    assert f"where full scale is 1; they are {bits}-bit integers" in refusal(path)
    with pytest.raises(CorpusError, match="where full scale is 1"):
        vocal_segments(path)


def test_samples_of_unknown_scale_are_refused(tmp_path):
    assert "full scale is 1; export it again" in refusal(written(tmp_path, music() * 1e12))


@pytest.mark.parametrize("peak", [1, 1.5, 4, 15])
def test_float_samples_above_full_scale_are_kept(tmp_path, peak):
    sound = read(written(tmp_path, music() / 0.8 * peak))
    assert float(sound.samples.abs().max()) == pytest.approx(peak, rel=1e-3)


@pytest.mark.parametrize("subtype", ["FLOAT", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("other", [-1, -0.98])
def test_opposite_channels_are_refused(tmp_path, subtype, other):
    path = written(tmp_path, np.hstack([music(), other * music()]), subtype)
    assert "its channels cancel each other in the mix" in refusal(path)
    assert "give a file with one channel" in refusal(path)


def test_opposite_channels_with_dither_are_refused(tmp_path):
    sound = np.hstack([music(level=0.01), -music(level=0.01)])
    dither = np.random.RandomState(1).uniform(-1, 1, sound.shape) / 32768
    assert "cancel each other" in refusal(written(tmp_path, sound + dither, "PCM_16"))


@pytest.mark.parametrize(("codec", "container"), [("libmp3lame", "mp3"), ("aac", "adts"), ("vorbis", "ogg")])
def test_opposite_channels_are_refused_after_lossy_coding(tmp_path, codec, container):
    sound = tones(0.5, 0.5, channels=1) + music(level=0.01).T.astype(np.float32)
    (tmp_path / "a").write_bytes(encoded(np.vstack([sound, -sound]), codec, container))
    assert "cancel each other" in refusal(tmp_path / "a")


def test_two_opposite_pairs_are_refused(tmp_path):
    pair = np.hstack([music(), -music()])
    assert "cancel each other" in refusal(written(tmp_path, np.hstack([pair, pair[::-1]])))
    surround = np.hstack([pair, 0 * music(2), 0.5 * pair])  # front and surround; centre and low frequencies silent
    assert "cancel each other" in refusal(written(tmp_path, surround))


def test_silence_is_not_called_cancellation(tmp_path):
    assert "silent from beginning to end" in refusal(written(tmp_path, 0 * music(2)))


@pytest.mark.parametrize("correlation", [-0.95, 0, 0.95])
def test_wide_stereo_and_one_silent_channel_are_read(tmp_path, correlation):
    left, other = music(2).T
    right = correlation * left + (1 - correlation**2) ** 0.5 * other
    assert read(written(tmp_path, np.stack([left, right], 1))).samples.shape == (2, RATE)
    assert read(written(tmp_path, np.stack([left, 0 * left], 1))).samples.shape == (2, RATE)
    late = np.hstack([music(), np.roll(music(), 3000)])  # an echo
    assert read(written(tmp_path, late)).samples.shape == (2, RATE)


def test_sound_only_in_the_low_frequency_channel_is_not_called_silence(tmp_path):
    samples = np.zeros((6, RATE), np.float32)
    samples[3] = tones(1.0, channels=1)[0]
    soundfile.write(tmp_path / "a.wav", samples.T, RATE)
    with pytest.raises(AudioError, match="holds sound only in the channel of low-frequency effects"):
        read(tmp_path / "a.wav")
