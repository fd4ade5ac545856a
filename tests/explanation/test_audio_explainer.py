"""From an audio file to the result of explaining an excerpt, or all of it."""

import math

import numpy as np
import pytest
import soundfile
import torch

from svdx.audio.reading import decode
from svdx.corpora.loose_files import track_at
from svdx.corpora.track import Segment, Track
from svdx.errors import AudioError, ConfigError
from svdx.explanation import FeatureInversion
from svdx.explanation.audio_explainer import AudioExplainer
from svdx.explanation.recording import read_recording
from svdx.models import UpConv
from svdx.models.weights import fingerprint

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
def explainer(frontend, classifier, inverter):
    return AudioExplainer(frontend, FeatureInversion(classifier, inverter, threshold=0.5))


def recording(path):
    return read_recording(track_at(path))


def excerpt(explainer, track, start):
    """The explained excerpt of an audio file."""
    return explainer.explain_excerpt(recording(track), start)


@pytest.mark.parametrize(
    "start, frame",
    [(0, 0), (0.3, 21), (21 / 70 + 0.007, 21), (21 / 70 + 0.0072, 22), (SPARE / 70, SPARE), (-0.003, 0)],
)
def test_an_excerpt_begins_at_the_frame_nearest_to_the_start(explainer, track, start, frame):
    samples = excerpt(explainer, track, start).samples
    assert np.array_equal(samples, decode(track, RATE)[frame * HOP : frame * HOP + NEEDED])
    assert len(samples) == NEEDED


@pytest.mark.parametrize("start", [SPARE / 70 + 0.008, 1000, -0.01, -3, math.inf, math.nan])
def test_a_start_outside_the_track_is_refused_with_the_allowed_range(explainer, track, start):
    with pytest.raises(AudioError) as error:
        excerpt(explainer, track, start)
    expected = f"start={start:g}: an excerpt of 1.68 s begins at 0 to {SPARE / 70:.2f} s of the track"
    assert str(error.value) == f"{track}: {expected}"


def test_the_greatest_start_that_the_message_names_is_accepted(explainer, track):
    assert len(excerpt(explainer, track, float(f"{SPARE / 70:.2f}")).samples) == NEEDED


def test_a_track_of_exactly_one_excerpt_is_long_enough_and_one_sample_less_is_too_short(explainer, tmp_path):
    path = tmp_path / "short.wav"
    soundfile.write(path, np.full(NEEDED, 0.1), RATE)
    assert len(excerpt(explainer, path, 0).samples) == NEEDED
    soundfile.write(path, np.full(NEEDED - 1, 0.1), RATE)
    for explain in (lambda: excerpt(explainer, path, 0), lambda: explainer.explain_track(recording(path))):
        with pytest.raises(AudioError, match=r"short\.wav: 1\.67 s, an excerpt needs 1\.68 s"):
            explain()


def test_a_missing_file_is_refused(explainer, tmp_path):
    with pytest.raises(AudioError, match="no such audio file"):
        excerpt(explainer, tmp_path / "nowhere.mp3", 0)


def test_an_excerpt_is_explained_as_the_classifier_hears_it(explainer, track, frontend, classifier):
    result = excerpt(explainer, track, 0.3)
    logmel = frontend(decode(track, RATE).double()).float()[21 : 21 + 115]
    standardised = classifier.standardise(logmel)[None]
    assert torch.allclose(result.explanation.excerpts, standardised, atol=1e-4)
    assert torch.allclose(result.explanation.probability, classifier(standardised), atol=1e-5)
    np.testing.assert_allclose(result.logmel, logmel, atol=1e-4)
    assert result.mask.shape == result.salience.shape == (115, 80)
    assert result.explanation.decision == pytest.approx(0.66)


def test_threshold_0_keeps_the_whole_sound_and_1_1_nothing(explainer, track):
    everything, own, nothing = explainer.explain_excerpt(recording(track), 0.3, [0.0, 1.1]).curve.points
    samples, probability = excerpt(explainer, track, 0.3).samples, own.probability
    np.testing.assert_allclose(everything.as_sound.samples, samples, atol=1e-5)
    assert everything.n_kept == 115 * 80 and nothing.n_kept == 0 and not nothing.as_sound.samples.any()
    assert not everything.flipped[0] and everything.as_sound.probability == pytest.approx(everything.probability)
    assert nothing.as_sound.probability != pytest.approx(probability)


def test_the_opening_is_among_the_points_and_keeps_the_explainers_mask(explainer, track):
    curve = explainer.explain_excerpt(recording(track), 0.3, [0.0, 1.1]).curve
    assert [point.position for point in curve.points] == [0.0, 0.5, 1.1] and curve.opening == 0.5
    assert curve.opening_point.n_kept == excerpt(explainer, track, 0.3).mask.sum()


def test_a_track_is_explained_by_excerpts_18_frames_apart_or_as_given(explainer, track):
    assert explainer.explain_track(recording(track)).explanation.starts.tolist() == [0, 18, 36, SPARE]
    result = explainer.explain_track(recording(track), 0.3, [0.0])
    assert result.explanation.starts.tolist() == [0, 21, 42, SPARE] and result.hop == pytest.approx(0.3)
    assert result.mask.shape == (115 + SPARE, 80)
    alone = excerpt(explainer, track, 0.3).explanation.probability
    torch.testing.assert_close(result.explanation.probability[1:2], alone, atol=1e-5, rtol=0)
    everything, own = result.curve.points
    assert everything.as_sound is None and len(own.as_sound.probability) == 4
    again = explainer.predict(torch.from_numpy(result.samples), result.explanation.starts)
    torch.testing.assert_close(again, result.explanation.probability, atol=1e-5, rtol=0)


def test_the_timeline_has_the_probability_at_the_excerpts_centres(explainer, track):
    result = explainer.explain_track(recording(track), 0.3)
    assert result.timeline.times == pytest.approx((np.arange(0, SPARE + 1, 9) + 57.5) / 70)
    alone = float(excerpt(explainer, track, 36 / 70).explanation.probability)
    assert result.timeline.probability[4] == pytest.approx(alone, abs=1e-5)


def test_a_label_belongs_to_the_middle_of_an_excerpt(explainer, track):
    middle = (21 + 57) / 70
    for end, sung in ((middle, False), (middle + 0.001, True)):
        labelled = read_recording(Track("song", track, (Segment(0.5, end, True),)))
        assert explainer.explain_excerpt(labelled, 0.3).labelled.tolist() == [sung]
        assert explainer.explain_track(labelled, 0.3).labelled.tolist()[:2] == [True, sung]
    assert excerpt(explainer, track, 0.3).labelled is None


@pytest.mark.parametrize("hop", [0, -1, 1.66, math.inf, math.nan])
def test_a_hop_of_nothing_or_beyond_an_excerpt_is_refused(explainer, track, hop):
    with pytest.raises(ConfigError, match=f"hop={hop}: expected 0.02 to 1.64 s"):
        explainer.explain_track(recording(track), hop)


@pytest.mark.parametrize("fill", ["mean", "zero", "floor", "excerpt-mean"])
def test_networks_on_another_device_get_everything_there(explainer, track, fill):
    """The device "meta" computes nothing, but refuses operands on two devices, and nothing can be moved back."""
    samples = decode(track, RATE)
    result, starts = excerpt(explainer, track, 0), torch.tensor([0, 9])
    explainer.explainer.fill = fill
    explainer.to("meta")
    for use in (
        lambda: excerpt(explainer, track, 0),
        lambda: explainer.explain_track(recording(track)),
        lambda: explainer.at(result.explanation, 0.3),
        lambda: explainer.predict(samples[:NEEDED]),
        lambda: explainer.predict(samples, starts),
    ):
        with pytest.raises(
            (NotImplementedError, RuntimeError), match=r"out of meta tensor|item\(\) cannot be called on"
        ):
            use()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_explains_as_the_cpu_does(explainer, track):
    expected = explainer.explain_track(recording(track), points=[0.2])
    result = explainer.to("cuda").explain_track(recording(track), points=[0.2])
    np.testing.assert_allclose(result.salience, expected.salience, atol=1e-3)
    for point, other in zip(result.curve.points, expected.curve.points, strict=True):
        np.testing.assert_allclose(point.probability, other.probability, atol=1e-3)
