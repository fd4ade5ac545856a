"""The files of an explanation, made with networks of random weights."""

import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from svdx.audio.masking import masked_sound
from svdx.audio.reading import Sound
from svdx.corpora.loose_files import audio_files, is_directory_or_pattern, track_at
from svdx.corpora.track import Segment, Track
from svdx.errors import AudioError, CorpusError
from svdx.explanation import FeatureInversion
from svdx.explanation.audio_explainer import AudioExplainer
from svdx.explanation.recording import read_recording
from svdx.models import UpConv
from svdx.report.facts import facts_of
from tests.support.documents import document_excerpt, document_track
from tests.support.results import make_result

RATE, NEEDED = 22050, 114 * 315 + 1024
THRESHOLDS = [0.0, 0.5, 1.1]
FILES = {"explanation.npz", "explanation.png", "explanation.wav", "excerpt.wav", "removed.wav", "report.html"}


@pytest.fixture(scope="module")
def song(tmp_path_factory):
    """audio/, labels/ and vocals/ of one song: a low tone all along, and a voice that is noise in its second half."""
    root = tmp_path_factory.mktemp("songs")
    for folder in ("audio", "labels", "vocals"):
        (root / folder).mkdir()
    time = np.arange(4 * RATE) / RATE
    voice = 0.1 * np.random.default_rng(1).standard_normal(len(time)) * (time >= 2)
    soundfile.write(root / "audio/a song.wav", 0.3 * np.sin(2 * np.pi * 220 * time) + voice, RATE, "FLOAT")
    soundfile.write(root / "vocals/a song.flac", voice[: 3 * RATE], RATE)
    (root / "labels/a song.lab").write_text("0 2 nosing\n2 4 sing\n")
    return root


@pytest.fixture
def explainer(frontend, classifier):
    return AudioExplainer(frontend, FeatureInversion(classifier, UpConv(8).eval(), threshold=0.5))


def test_a_file_in_the_folder_layout_has_its_labels_and_voice(song):
    track = track_at(song / "audio/a song.wav")
    assert track.segments == (Segment(0, 2, False), Segment(2, 4, True))
    assert track.vocals == song / "vocals/a song.flac"


def test_added_and_removed_labels_and_voices_are_noticed(tmp_path):
    for folder in ("audio", "labels", "vocals"):
        (tmp_path / folder).mkdir()
    audio, label, voice = (tmp_path / name for name in ("audio/a.wav", "labels/a.lab", "vocals/a.ogg"))
    assert track_at(audio) == Track("a", audio, ())
    time.sleep(0.02)  # directories keep the time of their change to some milliseconds
    label.write_text("0 2 sing\n")
    (tmp_path / "labels/a.txt").touch()
    assert track_at(audio) == Track("a", audio, (Segment(0, 2, True),))
    time.sleep(0.02)
    label.unlink()
    voice.touch()
    assert track_at(audio) == Track("a", audio, (), voice)


def test_a_mixture_has_the_vocals_and_the_labels_beside_it(tmp_path, monkeypatch):
    for name in ("mixture.wav", "vocals.wav", "drums.wav"):
        (tmp_path / name).touch()
    mixture, vocals = tmp_path / "mixture.wav", tmp_path / "vocals.wav"
    assert track_at(mixture) == Track(tmp_path.name, mixture, (), vocals)
    (tmp_path / "by hand.lab").write_text("0 2 sing\n")
    assert track_at(mixture) == Track(tmp_path.name, mixture, (Segment(0, 2, True),), vocals)
    monkeypatch.chdir(tmp_path)
    assert track_at(Path("mixture.wav")).name == tmp_path.name


@pytest.mark.parametrize("labels", ["0.0 1.6 C:maj\n", "", "0 2 sing\n1 3 nosing\n"])
def test_labels_of_another_kind_are_reported_and_left_out(tmp_path, caplog, labels):
    for folder in ("audio", "labels"):
        (tmp_path / folder).mkdir()
    (tmp_path / "labels/a.lab").write_text(labels)
    assert track_at(tmp_path / "audio/a.wav") == Track("a", tmp_path / "audio/a.wav", ())
    assert f"labels ignored: {tmp_path}/labels/a.lab" in caplog.text


def test_labels_and_stems_are_found_whatever_the_case_of_their_endings(tmp_path):
    for folder in ("audio", "labels"):
        (tmp_path / folder).mkdir()
    (tmp_path / "labels/a.LAB").write_text("0 2 sing\n")
    assert track_at(tmp_path / "audio/a.wav").segments == (Segment(0, 2, True),)
    (tmp_path / "MINE.Lab").write_text("0 1 sing\n")
    assert track_at(tmp_path / "mixture.wav").segments == (Segment(0, 1, True),)


def test_labels_in_another_unit_are_refused_on_a_page_too(explainer, song, tmp_path):
    audio = song / "audio/a song.wav"
    wrong = Track("a song", audio, (Segment(0, 2000, False), Segment(2000, 4000, True)), labels=Path("labels/a.lab"))
    said = r"^labels/a\.lab: looks like milliseconds: 4000 for a track of 4\.0 s; write seconds$"
    with pytest.raises(CorpusError, match=said):
        document_excerpt(explainer, wrong, 1.1, [], tmp_path / "excerpt")
    with pytest.raises(CorpusError, match=said):
        document_track(explainer, wrong, 0.81, THRESHOLDS, tmp_path / "track")


def test_a_file_outside_the_folder_layout_has_neither_labels_nor_voice(tmp_path):
    assert track_at(tmp_path / "b.mp3") == Track("b", tmp_path / "b.mp3", ())


@pytest.mark.parametrize("keep", ["salient", "complement"])
def test_everything_is_written_and_the_parts_sum_to_the_whole(explainer, song, tmp_path, keep):
    explainer.explainer.keep = keep
    facts = document_excerpt(explainer, track_at(song / "audio/a song.wav"), 1.0, THRESHOLDS, tmp_path / "new")
    assert {path.name for path in (tmp_path / "new").iterdir()} == FILES
    whole, kept, removed = (
        soundfile.read(tmp_path / "new" / f"{name}.wav")[0] for name in ("excerpt", "explanation", "removed")
    )
    assert np.array_equal(whole, soundfile.read(song / "audio/a song.wav")[0][RATE : RATE + NEEDED])
    np.testing.assert_allclose(kept + removed, whole, atol=1e-4)
    assert len(kept) == NEEDED and 0 < (kept**2).sum() < (whole**2).sum()
    html = (tmp_path / "new/report.html").read_text()
    for words in facts.items():
        assert all(word in html for word in words if not {">", "<"} & set(word))
    assert set(facts) >= {"label", "label of the kept part as sound", "kept energy", "kept energy that is voice"}
    assert facts["label of the kept part as sound"].startswith(("kept (p = ", "flipped (p = "))
    assert f"keep={keep}, fill=mean" in facts["mask"]
    assert ("Everything but what was listened to" in html) == (keep == "complement")
    assert len(html) < 2_000_000


@pytest.mark.parametrize(
    "before, after, facts",
    [
        (0.9, 0.66, ("singing (p = 0.900)", "no singing (p = 0.660)", "flipped")),
        (0.9, 0.7, ("singing (p = 0.900)", "singing (p = 0.700)", "kept")),
        (0.1, 0.7, ("no singing (p = 0.100)", "singing (p = 0.700)", "flipped")),
        (0.1, 0.2, ("no singing (p = 0.100)", "no singing (p = 0.200)", "kept")),
    ],
)
def test_facts_have_the_labels_before_and_after(frontend, before, after, facts):
    salience, nothing = np.zeros((4, 4)), np.zeros(9)
    salience[0, :3] = 1
    found = facts_of(make_result(frontend, salience, salience, nothing, {0.6: nothing}, before, after))
    assert (found["excerpt"], found["explanation"], found["label"]) == facts
    assert found["area kept"] == "18.8 %"
    assert found["decision threshold"] == "p > 0.66"


@pytest.mark.parametrize("start, truth", [(1.1, "no singing"), (1.3, "singing")])  # singing is from 2 s, 0.81 s later
def test_the_labels_are_compared_with_the_detector(explainer, song, tmp_path, start, truth):
    facts = document_excerpt(explainer, track_at(song / "audio/a song.wav"), start, [], tmp_path)
    agrees = facts["excerpt"].startswith(f"{truth} (p = ")
    assert facts["labelled"] == f"{truth}; the detector {'agrees' if agrees else 'disagrees'}"
    (tmp_path / "a song.flac").write_bytes((song / "audio/a song.wav").read_bytes())
    assert "labelled" not in document_excerpt(explainer, track_at(tmp_path / "a song.flac"), start, [], tmp_path)


def test_files_of_the_same_name_are_told_apart_by_their_ending(explainer, song, tmp_path):
    for name in ("a.wav", "a.aiff"):
        (tmp_path / name).write_bytes((song / "audio/a song.wav").read_bytes())
        for document, how in ((document_excerpt, 0.0), (document_track, None)):
            facts = document(explainer, track_at(tmp_path / name), how, [], tmp_path / "explained")
            assert facts["file"] == name
            assert f"<td>{name}</td>" in (tmp_path / "explained/report.html").read_text()


def test_sounds_may_be_left_out_of_an_excerpt_and_of_a_track(explainer, song, tmp_path):
    track = track_at(song / "audio/a song.wav")
    with_them = document_excerpt(explainer, track, 1.0, [], tmp_path / "with")
    assert document_excerpt(explainer, track, 1.0, [], tmp_path / "excerpt", sounds=False) == with_them
    document_track(explainer, track, None, [], tmp_path / "track", sounds=False)
    for place in (tmp_path / "excerpt", tmp_path / "track"):
        assert {path.name for path in place.iterdir()} == {"explanation.npz", "explanation.png", "report.html"}
    assert (tmp_path / "excerpt/report.html").read_bytes() == (tmp_path / "with/report.html").read_bytes()


def test_the_removed_part_is_the_sound_of_the_complement(explainer, song):
    recording, span = read_recording(track_at(song / "audio/a song.wav")), slice(RATE, RATE + NEEDED)
    result, whole = explainer.explain_excerpt(recording, 1.0), recording.sound.samples
    removed = masked_sound(whole, torch.from_numpy(~result.mask).float(), explainer.frontend, span=span)
    torch.testing.assert_close(result.sound.samples - result.kept.samples, removed, atol=1e-4, rtol=0)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
@pytest.mark.parametrize("start", [1.0, "all"])
def test_sounds_keep_the_inputs_rate_channels_and_length(explainer, tmp_path, rate, start):
    channels = 0.1 * np.random.default_rng(3).standard_normal((3 * rate + 11, 2))
    soundfile.write(tmp_path / "a.wav", channels, rate, "FLOAT")
    track, directory = track_at(tmp_path / "a.wav"), tmp_path / "explained"
    if start == "all":
        document_track(explainer, track, None, [], directory)
        expected = channels
    else:
        document_excerpt(explainer, track, start, [], directory)
        expected = channels[rate:][: -(-NEEDED * rate // RATE)]
    names = ("track" if start == "all" else "excerpt", "explanation", "removed")
    (whole, found), (kept, _), (removed, _) = (soundfile.read(directory / f"{name}.wav") for name in names)
    assert found == rate and whole.shape == kept.shape == removed.shape == expected.shape
    np.testing.assert_allclose(whole, expected, atol=1e-7)
    np.testing.assert_allclose(kept + removed, whole, atol=1e-4)
    assert 0 < (kept**2).sum() < (whole**2).sum()


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000, 96000])
def test_every_excerpt_of_a_resampled_file_holds_its_frames_again(frontend, rate):
    sound = Sound(torch.zeros(2, 2 * rate + 5), rate)
    n = len(sound.mono(RATE))
    for first in {*range(0, n - NEEDED, 315), n - NEEDED}:
        excerpt = sound.cut(sound.source_span(slice(first, first + NEEDED), RATE))
        assert frontend.n_frames(len(excerpt.mono(RATE))) == 115


def test_the_voice_is_half_of_a_mix_of_two_equals(explainer, song, tmp_path):
    noise = 0.1 * np.random.default_rng(2).standard_normal((2, 2 * RATE))
    for name, sound in (("mixture", noise.sum(0)), ("vocals", noise[0])):
        soundfile.write(tmp_path / f"{name}.wav", sound, RATE, "FLOAT")
    facts = document_excerpt(explainer, track_at(tmp_path / "mixture.wav"), 0, [], tmp_path)
    assert abs(int(facts["all energy that is voice"].split()[0]) - 50) < 3
    assert 'class="voice"' in (tmp_path / "report.html").read_text()


def test_a_silent_voice_is_reported_and_left_out(explainer, song, tmp_path, caplog):
    (tmp_path / "mixture.wav").write_bytes((song / "audio/a song.wav").read_bytes())
    soundfile.write(tmp_path / "vocals.wav", np.zeros(1000), RATE)
    facts = document_excerpt(explainer, track_at(tmp_path / "mixture.wav"), 0, [], tmp_path)
    assert "vocals.wav: silent" in caplog.text
    assert "all energy that is voice" not in facts


def test_a_whole_track(explainer, song, tmp_path):
    facts = document_track(explainer, track_at(song / "audio/a song.wav"), 0.81, THRESHOLDS, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES - {"excerpt.wav"} | {"track.wav"}
    whole, kept, removed = (soundfile.read(tmp_path / f"{name}.wav")[0] for name in ("track", "explanation", "removed"))
    assert len(whole) == 4 * RATE
    np.testing.assert_allclose(kept + removed, whole, atol=1e-4)
    with np.load(tmp_path / "explanation.npz") as arrays:
        assert arrays["mask"].shape == (explainer.frontend.n_frames(4 * RATE), 80)
        assert np.array_equal(arrays["mask"], arrays["salience"] >= np.float32(0.5))
        assert len(arrays["starts"]) == 4
        vocal = arrays["probability"] > arrays["decision"]
    assert facts["heard as singing"] == f"{vocal.sum()} of 4 ({25 * vocal.sum()} %)"
    assert facts["excerpts"] == "4, one every 0.81 s"
    assert facts["labels of the kept part as sound"].startswith("kept in ")
    # excerpts at 0, 0.81, 1.63 and 2.36 s, their centres 0.81 s later; singing from 2 s
    agreeing = (vocal == [False, False, True, True]).sum()
    assert facts["agrees with the labels"] == f"{agreeing} of 4 ({25 * agreeing} %)"
    html = (tmp_path / "report.html").read_text()
    assert "<title>a song, whole track</title>" in html and 'class="label"' in html


def test_singing_begins_at_its_segments_start_and_is_over_at_its_end(song):
    recording = read_recording(track_at(song / "audio/a song.wav"))
    assert [recording.is_vocal(time) for time in (0, 1.99, 2, 3.99, 4)] == [False, False, True, True, False]


@pytest.fixture
def several(tmp_path):
    for name in ("b.wav", "a&b.flac", "sub/b.mp3", "notes.txt", ".hidden.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_files_of_a_directory_or_a_pattern(several):
    assert audio_files(str(several)) == [several / "a&b.flac", several / "b.wav"]
    assert audio_files(f"{several}/*.wav") == [several / "b.wav"]
    assert audio_files(f"{several}/**/b.*") == [several / "b.wav", several / "sub/b.mp3"]
    for nothing in (f"{several}/*.txt", f"{several}/*.ogg"):
        with pytest.raises(AudioError, match="no audio files found"):
            audio_files(nothing)


def test_a_file_whose_name_looks_like_a_pattern_is_one_file(several):
    (several / "what?.wav").touch()
    assert not is_directory_or_pattern(str(several / "what?.wav")) and not is_directory_or_pattern(
        str(several / "b.wav")
    )
    assert is_directory_or_pattern(str(several)) and is_directory_or_pattern(f"{several}/wh*.wav")
