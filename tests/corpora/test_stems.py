"""Stems: labels computed from the voice, and MUSDB18's validation split."""

import numpy as np
import pytest
import soundfile

from svdx.audio.reading import read
from svdx.corpora import Segment, Stems
from svdx.corpora.stems import MUSDB18_VALID, vocal_segments
from svdx.errors import ConfigError, CorpusError
from tests.support.recordings import encoded

RATE = 4000


def sound(*levels, channels=1):
    """Half a second of noise at each level, full scale 1."""
    noise = np.random.RandomState(0).uniform(-1, 1, (len(levels) * RATE // 2, channels))
    return noise * np.repeat(levels, RATE // 2)[:, None]


def add(root, track, vocals=None):
    folder = root / track
    folder.mkdir(parents=True)
    for stem in ("mixture", "vocals"):
        soundfile.write(folder / f"{stem}.wav", sound(0.5) if vocals is None else vocals, RATE, subtype="FLOAT")
    return folder


def refusal(corpus, split="train"):
    with pytest.raises(CorpusError) as error:
        corpus.split(split)
    assert "\n" not in str(error.value)
    return str(error.value)


def segments(tmp_path, samples):
    soundfile.write(tmp_path / "vocals.wav", samples, RATE, subtype="FLOAT")
    return vocal_segments(tmp_path / "vocals.wav")


@pytest.mark.parametrize("channels", [1, 2])
def test_loud_is_vocal(tmp_path, channels):
    found = segments(tmp_path, sound(0, 0.5, 0.5, 0, 0.1, channels=channels))
    assert found == (Segment(0.5, 1.5, True), Segment(2, 2.5, True))


def test_thirty_decibels_below_the_loud_windows(tmp_path):
    assert segments(tmp_path, sound(0.5, 0.5 * 10 ** (-28 / 20))) == (Segment(0, 1, True),)
    assert segments(tmp_path, sound(0.5, 0.5 * 10 ** (-32 / 20))) == (Segment(0, 0.5, True),)


def test_what_is_shorter_than_half_the_median_is_smoothed_away(tmp_path):
    samples = sound(0, 0, 0.5, 0.5)
    samples[int(0.3 * RATE) : int(0.45 * RATE)] = 0.5  # a cough: three windows
    samples[int(1.3 * RATE) : int(1.45 * RATE)] = 0  # a breath
    assert segments(tmp_path, samples) == (Segment(1, 2, True),)


@pytest.mark.parametrize("level", [0, 1e-4])
def test_a_silent_stem_has_no_singing(tmp_path, level):
    assert segments(tmp_path, sound(level, level)) == ()


def test_a_few_notes_in_a_silent_stem_are_singing(tmp_path):
    assert segments(tmp_path, sound(*[1e-5] * 20, 0.5)) == (Segment(10, 10.5, True),)


def test_long_and_short_files(tmp_path):
    assert segments(tmp_path, sound(*[0.5] * 130)) == (Segment(0, 65, True),)  # more than two blocks
    assert segments(tmp_path, sound(0.5)[: int(0.22 * RATE)]) == (Segment(0, 0.22, True),)


def test_a_lab_file_takes_precedence_over_the_stem(tmp_path):
    folder = add(tmp_path, "test/song")
    (folder / "mine.lab").write_text("0 0.1 sing\n")
    (folder / "vocals.wav").unlink()
    track = Stems(tmp_path).split("test")[0]
    assert (track.name, track.segments, track.vocals) == ("song", (Segment(0, 0.1, True),), None)
    (folder / "yours.LAB").touch()
    assert "mine.lab and yours.LAB both label it" in refusal(Stems(tmp_path), "test")


def test_layout_and_seeded_validation(tmp_path):
    for number in range(6):
        add(tmp_path, f"train/song {number}")
    add(tmp_path, "test/other. song")
    corpus = Stems(tmp_path, n_valid=2, seed=0)
    train, valid = ({track.name for track in corpus.split(split)} for split in ("train", "valid"))
    assert (len(train), len(valid), len(train | valid)) == (4, 2, 6)
    assert corpus.split("valid") == Stems(tmp_path, n_valid=2, seed=0).split("valid")
    assert any({t.name for t in Stems(tmp_path, 2, seed).split("valid")} != valid for seed in range(1, 9))
    track = corpus.split("test")[0]
    assert track.name == "other. song"
    assert (track.audio.name, track.vocals.name) == ("mixture.wav", "vocals.wav")


def test_musdb18_keeps_its_own_validation_split(tmp_path):
    for name in [*MUSDB18_VALID, "Zero", "One"]:
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "train" / name / "mixture.wav").touch()
        (tmp_path / "train" / name / "labels.lab").write_text("0 1 sing")
    assert len(MUSDB18_VALID) == 14
    assert {track.name for track in Stems(tmp_path).split("valid")} == MUSDB18_VALID
    assert [track.name for track in Stems(tmp_path).split("train")] == ["One", "Zero"]
    assert len(Stems(tmp_path, n_valid=3).split("valid")) == 3


def test_missing_and_duplicate_files_are_errors(tmp_path):
    corpus = Stems(tmp_path, n_valid=1)
    assert refusal(corpus).startswith(f"{tmp_path}/train is missing")
    song = add(tmp_path, "train/song")
    assert "'train' of data=stems is empty: add tracks or change data.n_valid" in refusal(corpus)
    assert "data.n_valid=14, but" in refusal(Stems(tmp_path))
    (song / "vocals.wav").rename(song / "voice.wav")
    assert refusal(corpus, "valid").startswith(f"{song}/vocals.wav is missing")
    (song / "voice.wav").rename(song / "mixture.flac")
    assert "mixture.flac and mixture.wav: keep only one" in refusal(corpus, "valid")
    (song / "mixture.wav").unlink()
    (song / "mixture.flac").unlink()
    assert refusal(corpus, "valid").startswith(f"{song}/mixture.wav is missing")
    add(tmp_path, "test/song")
    assert "is in" in refusal(corpus, "valid")
    with pytest.raises(ConfigError, match="expected 0 or more"):
        Stems(tmp_path, n_valid=-1)


@pytest.mark.parametrize(
    ("vocals", "problem"),
    [(np.full(RATE, np.nan), "samples that are not finite"), (np.zeros(0), "has no samples")],
)
def test_stems_without_finite_samples_are_refused(tmp_path, vocals, problem):
    add(tmp_path, "test/song", vocals)
    assert problem in refusal(Stems(tmp_path), "test")


def test_a_damaged_stem(tmp_path):
    (add(tmp_path, "test/song") / "vocals.wav").write_text("no sound")
    assert "vocals.wav: not readable as audio" in refusal(Stems(tmp_path), "test")


def test_the_length_of_a_voice_comes_from_its_samples(tmp_path):
    soundfile.write(tmp_path / "vocals.mp3", np.random.RandomState(0).uniform(-0.5, 0.5, 22050), 22050)
    data = bytearray((tmp_path / "vocals.mp3").read_bytes())
    field = data.index(b"Info" if b"Info" in data else b"Xing") + 8
    data[field : field + 4] = (10**6).to_bytes(4, "big")  # declared number of frames: fourteen hours
    (tmp_path / "vocals.mp3").write_bytes(data)
    (segment,) = vocal_segments(tmp_path / "vocals.mp3")
    assert segment.start == 0 and segment.end < 1.2


def stem_file(path, *levels, rate=44100):
    """A file of five streams: mix, drums, bass, other, voice. levels: of the voice, each half a second."""
    time = np.arange(len(levels) * rate // 2) / rate
    voice = np.sin(2 * np.pi * 700 * time) * np.repeat(levels, rate // 2)
    others = [0.1 * np.sin(2 * np.pi * frequency * time) for frequency in (110, 220, 330)]
    sounds = [np.stack([sound, sound]).astype(np.float32) for sound in (voice + sum(others), *others, voice)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(sounds, "aac", "mp4"))


def test_stem_files_of_musdb18(tmp_path):
    stem_file(tmp_path / "train/One - Song.stem.mp4", 0, 0.5, 0.5, 0)
    stem_file(tmp_path / "test/Dr. No.stem.mp4", 0.5, 0)
    (tmp_path / "test/Dr. No.lab").write_text("0 0.1 sing\n")
    add(tmp_path, "test/in a directory")
    (track,) = Stems(tmp_path, n_valid=0).split("train")
    (segment,) = track.segments
    assert (track.name, track.audio, track.voice_number) == ("One - Song", track.vocals, 4)
    assert (segment.start, segment.end) == pytest.approx((0.5, 1.5), abs=0.1)
    others = Stems(tmp_path, n_valid=0).split("test")
    assert [(other.name, other.segments[0].end) for other in others] == [("Dr. No", 0.1), ("in a directory", 0.5)]
    mix, voice = read(track.audio), read(track.vocals, number=track.voice_number)
    middle = slice(30_000, 60_000)
    assert float(mix.samples[0, middle].std()) > 1.05 * float(voice.samples[0, middle].std())
    assert float(voice.samples[0, :15_000].abs().max()) < 0.01 < float(mix.samples[0, :15_000].abs().max())


def test_a_stem_file_with_one_stream_is_refused(tmp_path):
    (tmp_path / "test").mkdir()
    (tmp_path / "test/song.stem.mp4").write_bytes(encoded(sound(0.5).T.astype(np.float32), "aac", "mp4", rate=8000))
    assert "holds 1 sounds; number 4, counted from 0, is not among them" in refusal(Stems(tmp_path), "test")


def test_a_track_as_directory_and_as_file_is_refused(tmp_path):
    add(tmp_path, "test/song")
    (tmp_path / "test/song.stem.mp4").touch()
    assert "are both 'song': keep only one of them" in refusal(Stems(tmp_path), "test")
    (tmp_path / "train").mkdir()
    (tmp_path / "test/song.stem.mp4").rename(tmp_path / "train/song.stem.mp4")
    assert "is in" in refusal(Stems(tmp_path), "train")


def test_system_files_are_not_tracks(tmp_path):
    add(tmp_path, "test/song")
    for name in ("@eaDir", "__MACOSX", "lost+found", "#recycle", "$RECYCLE.BIN", ".Trash-1000"):
        (tmp_path / "test" / name).mkdir()
    (tmp_path / "test/@eaDir/song").mkdir()
    (tmp_path / "test/song/@eaDir").mkdir()
    (tmp_path / "test/song/@eaDir/mixture.wav").mkdir()
    for name in (".DS_Store", "Thumbs.db", "readme.txt", "._song", "song/Thumbs.db", "song/._mixture.wav"):
        (tmp_path / "test" / name).write_bytes(b"\0\5\x16\7")
    assert [track.name for track in Stems(tmp_path).split("test")] == ["song"]


def test_a_track_that_is_a_broken_link_is_named(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
    (tmp_path / "test/lost").symlink_to("nowhere")
    with pytest.raises(CorpusError, match=r"test/lost: a broken link to nowhere"):
        Stems(tmp_path).split("test")
