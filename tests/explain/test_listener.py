"""From an audio file to an explanation of one of its excerpts."""

import json
import math

import numpy as np
import pytest
import soundfile
import torch

from svdx.audio.reading import Sound, decode
from svdx.errors import AudioError, ConfigError, WeightsError
from svdx.explain import FeatureInversion
from svdx.explain.listener import CLASSIFIER, FRONTEND, INVERTER, Listener, cut_excerpt, load
from svdx.models import UpConv
from svdx.models.weights import fingerprint, save

RATE, HOP, NEEDED = 22050, 315, 114 * 315 + 1024  # samples a second, samples a frame, samples of an excerpt
SPARE = 50  # excerpts that the track holds beside the first


@pytest.fixture(scope="module")
def track(tmp_path_factory):
    path = tmp_path_factory.mktemp("a folder") / "My song. Live.wav"
    soundfile.write(path, 0.1 * np.random.default_rng(5).standard_normal(NEEDED + SPARE * HOP + 7), RATE, "FLOAT")
    return path


@pytest.fixture
def inverter(classifier):
    network = UpConv(8).eval().requires_grad_(False)
    network.inverts = fingerprint(classifier)
    return network


@pytest.fixture
def listener(frontend, classifier, inverter):
    return Listener(frontend, FeatureInversion(classifier, inverter, threshold=0.5))


@pytest.mark.parametrize(
    "start, frame",
    [(0, 0), (0.3, 21), (21 / 70 + 0.007, 21), (21 / 70 + 0.0072, 22), (SPARE / 70, SPARE), (-0.003, 0)],
)
def test_samples_begin_at_the_frame_nearest_to_the_start(listener, track, start, frame):
    samples = cut_excerpt(track, start, listener.frontend)
    assert torch.equal(samples, decode(track, RATE)[frame * HOP : frame * HOP + NEEDED])
    assert len(samples) == NEEDED


@pytest.mark.parametrize("start", [SPARE / 70 + 0.008, 1000, -0.01, -3, math.inf, math.nan])
def test_a_start_outside_the_track_is_refused_with_the_range_that_is_allowed(listener, track, start):
    with pytest.raises(AudioError) as error:
        cut_excerpt(track, start, listener.frontend)
    told = f"start={start}: an excerpt of 1.68 s begins at 0 to {SPARE / 70:.2f} s of the track"
    assert str(error.value) == f"{track}: {told}"


def test_the_greatest_start_that_the_message_names_is_accepted(listener, track):
    assert len(cut_excerpt(track, float(f"{SPARE / 70:.2f}"), listener.frontend)) == NEEDED


def test_a_track_of_exactly_one_excerpt_is_enough_and_a_sample_less_is_too_short(listener, tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, np.full(NEEDED, 0.1), RATE)
    assert len(cut_excerpt(path, 0, listener.frontend)) == NEEDED
    soundfile.write(path, np.full(NEEDED - 1, 0.1), RATE)
    with pytest.raises(AudioError, match=r"short\.wav: 1\.67 s, an excerpt needs 1\.68 s"):
        cut_excerpt(path, 0, listener.frontend)


def test_a_missing_file_is_refused(listener, tmp_path):
    with pytest.raises(AudioError, match="no such audio file"):
        cut_excerpt(tmp_path / "nowhere.mp3", 0, listener.frontend)


def test_the_excerpt_is_explained_as_the_classifier_hears_it(listener, track, frontend, classifier):
    heard = listener.explain(track, 0.3)
    logmel = frontend(decode(track, RATE).double()).float()[21 : 21 + 115]
    excerpt = classifier.standardise(logmel)[None]
    assert torch.allclose(heard.excerpts, excerpt, atol=1e-4)
    assert torch.allclose(heard.probability, classifier(excerpt), atol=1e-5)
    assert heard.mask.shape == (1, 115, 80)
    assert heard.decision == pytest.approx(0.66)


def test_threshold_0_gives_the_sound_back_and_1_1_silence(listener, track):
    samples = cut_excerpt(track, 0.3, listener.frontend)
    sound = Sound(samples[None], RATE)
    listener.explainer.threshold = 0.0
    assert torch.allclose(listener.kept_sound(sound, listener.listen(samples)).samples, sound.samples, atol=1e-5)
    listener.explainer.threshold = 1.1
    assert not listener.kept_sound(sound, listener.listen(samples)).samples.any()


def test_the_sound_of_an_excerpt_is_heard_as_the_excerpt_is(listener, track):
    samples = cut_excerpt(track, 0.3, listener.frontend)
    assert listener.hear(samples) == pytest.approx(float(listener.listen(samples).probability[0]))
    assert listener.hear(0 * samples) != pytest.approx(listener.hear(samples))


def test_a_whole_track_by_excerpts_18_frames_apart_or_as_asked(listener, track):
    samples = decode(track, RATE)
    assert listener.listen_track(samples).starts.tolist() == [0, 18, 36, SPARE]
    found = listener.listen_track(samples, 0.3)
    assert found.starts.tolist() == [0, 21, 42, SPARE]
    assert found.mask.shape == (115 + SPARE, 80)
    excerpt = listener.explain(track, 0.3)
    torch.testing.assert_close(found.probability[1:2], excerpt.probability, atol=1e-5, rtol=0)
    torch.testing.assert_close(listener.hear_track(samples, found.starts), found.probability, atol=1e-5, rtol=0)


def test_a_file_is_explained_as_its_samples_are(listener, track, tmp_path):
    found, expected = listener.explain_track(track, 0.3), listener.listen_track(decode(track, RATE), 0.3)
    assert torch.equal(found.salience, expected.salience)
    soundfile.write(tmp_path / "short.wav", np.full(NEEDED - 1, 0.1), RATE)
    with pytest.raises(AudioError, match=r"an excerpt needs 1\.68 s"):
        listener.explain_track(tmp_path / "short.wav")


def test_a_start_may_be_a_number_of_numpys(listener, track):
    assert listener.explain(track, np.float32(0)).area == listener.explain(track, np.int64(0)).area


@pytest.mark.parametrize("start", ["all", None])
def test_a_start_that_is_no_number_leads_to_the_method_for_tracks(listener, track, start):
    with pytest.raises(ConfigError, match=rf"start={start!r}: expected seconds; explain_track\(audio\)"):
        listener.explain(track, start)


@pytest.mark.parametrize("hop", [0, -1, 1.66, math.inf, math.nan])
def test_a_hop_of_nothing_or_beyond_an_excerpt_is_refused(listener, track, hop):
    with pytest.raises(ConfigError, match=f"hop={hop}: expected 0.02 to 1.64 s"):
        listener.listen_track(decode(track, RATE), hop)


@pytest.mark.parametrize("fill", ["mean", "zero", "floor", "excerpt-mean"])
def test_networks_elsewhere_get_everything_there_and_give_it_back(listener, track, fill):
    """On the device "meta" nothing is computed, but what lies on two devices is refused, and nothing comes back."""
    samples = decode(track, RATE)
    excerpt, whole = listener.listen(samples[:NEEDED]), listener.listen_track(samples)
    listener.explainer.fill = fill
    listener.to("meta")
    for use in (
        lambda: listener.listen(samples[:NEEDED]),
        lambda: listener.listen_track(samples),
        lambda: listener.at(excerpt, 0.3),
        lambda: listener.at(whole, 0.3),
        lambda: listener.hear(samples[:NEEDED]),
        lambda: listener.hear_track(samples, whole.starts),
        lambda: listener.probabilities(whole.track, whole.starts),
    ):
        with pytest.raises(
            (NotImplementedError, RuntimeError), match=r"out of meta tensor|item\(\) cannot be called on"
        ):
            use()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU is there")
def test_a_gpu_explains_as_the_cpu_does(listener, track):
    samples = decode(track, RATE)
    here = listener.listen_track(samples)
    there = listener.to("cuda").listen_track(samples)
    assert there.mask.device.type == "cpu"
    torch.testing.assert_close(there.salience, here.salience, atol=1e-3, rtol=0)
    torch.testing.assert_close(there.probability, here.probability, atol=1e-3, rtol=0)


@pytest.fixture
def models(tmp_path, frontend, classifier, inverter):
    """A directory of trained models as train.py leaves it."""
    save(classifier, tmp_path / CLASSIFIER)
    save(inverter, tmp_path / INVERTER)
    (tmp_path / FRONTEND).write_text(json.dumps(frontend.settings))
    return tmp_path


def test_a_loaded_listener_hears_the_same(listener, models, track):
    loaded, there = load(models, threshold=0.5).explain(track, 0.3), listener.explain(track, 0.3)
    for name, array in there.arrays().items():
        assert np.array_equal(array, loaded.arrays()[name]), name


def test_options_of_load_are_the_explainers(models, track):
    explainer = load(models, threshold=0.25, keep="complement", fill="zero").explainer
    assert (explainer.threshold, explainer.keep, explainer.fill) == (0.25, "complement", "zero")
    with pytest.raises(ConfigError):
        load(models, threshold=1.2)


@pytest.mark.parametrize("name", [CLASSIFIER, INVERTER, FRONTEND])
def test_a_directory_that_lacks_a_part_is_refused_in_one_line(models, name):
    (models / name).unlink()
    with pytest.raises(WeightsError) as error:
        load(models)
    assert str(models) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"hop": 315}', "null"])
def test_a_damaged_front_end_card_is_refused_in_one_line(models, text):
    (models / FRONTEND).write_text(text)
    with pytest.raises(WeightsError, match="not a directory of trained models") as error:
        load(models)
    assert "\n" not in str(error.value)
