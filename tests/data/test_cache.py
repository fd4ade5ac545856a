"""The cache of log-mels: computed once, written atomically, recomputed when the audio changes."""

import dataclasses
import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from svdx.audio.logmel import FrontEnd
from svdx.audio.reading import decode
from svdx.corpora import Track
from svdx.corpora.track import Segment
from svdx.data import cache as melstore
from svdx.data.cache import MelStore
from svdx.errors import AudioError, ConfigError, CorpusError
from tests.support.at_once import in_processes


def write(path, n, seed=0):
    soundfile.write(path, np.random.default_rng(seed).uniform(-1, 1, n), 22050)
    return Track(path.stem, path, ())


@pytest.fixture
def store(tmp_path, frontend):
    return MelStore(tmp_path / "mels", frontend, workers=2)


@pytest.fixture
def tracks(tmp_path, frontend):
    return [write(tmp_path / f"{name}.wav", frontend.n_samples(120), seed) for seed, name in enumerate("ba")]


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that the store decodes."""
    names = []
    monkeypatch.setattr(melstore, "decode", lambda path, rate: names.append(path.name) or decode(path, rate))
    return names


def left(store):
    """Its files without the locks."""
    return [path for path in store.directory.iterdir() if path.name != melstore.LOCKS]


def contents(store):
    return {path.name: path.read_bytes() for path in left(store)}


def test_the_cache_holds_logmels_computed_in_double_precision(store, tracks, frontend):
    assert store.prepare(tracks) == tracks
    for track in tracks:
        logmel = store.logmel(track)
        assert isinstance(logmel, np.memmap)
        assert logmel.dtype == np.float32
        exact = frontend(decode(track.audio, 22050).double()).float().numpy()
        np.testing.assert_allclose(logmel, exact, atol=1e-6)


def test_a_second_run_decodes_nothing(store, tracks, frontend, decoded):
    store.prepare(tracks, samples=True)
    assert sorted(decoded) == ["a.wav", "b.wav"]
    again = MelStore(store.directory, frontend)
    again.prepare(tracks, samples=True)
    again.prepare(tracks)
    assert len(decoded) == 2


def test_samples_are_cached_on_request(store, tracks, decoded):
    store.prepare(tracks)
    with pytest.raises(FileNotFoundError):
        store.samples(tracks[0])
    store.prepare(tracks, samples=True)
    assert len(decoded) == 4
    assert np.array_equal(store.samples(tracks[0]), decode(tracks[0].audio, 22050).numpy())


def test_a_changed_file_is_recomputed(store, tracks, frontend, decoded):
    store.prepare(tracks)
    before = np.array(store.logmel(tracks[0]))
    write(tracks[0].audio, frontend.n_samples(120), seed=9)  # as long as before
    os.utime(tracks[0].audio, ns=(0, 12345))
    store.prepare(tracks)
    assert sorted(decoded) == ["a.wav", "b.wav", "b.wav"]
    assert np.abs(store.logmel(tracks[0]) - before).max() > 0.1


def test_front_ends_have_separate_arrays(store, tracks, frontend, decoded):
    store.prepare(tracks)
    coarse = MelStore(store.directory, FrontEnd(**{**frontend.settings, "n_bands": 40}))
    coarse.prepare(tracks)
    assert len(decoded) == 4
    assert store.logmel(tracks[0]).shape == (120, 80)
    assert coarse.logmel(tracks[0]).shape == (120, 40)


def test_short_tracks_are_skipped_with_one_warning(store, tracks, frontend, tmp_path, caplog):
    just = write(tmp_path / "just.wav", frontend.n_samples(115))
    short = write(tmp_path / "short.wav", frontend.n_samples(115) - 1)
    for _ in range(2):
        assert store.prepare([tracks[0], short, just, tracks[1]]) == [tracks[0], just, tracks[1]]
    assert [record.message for record in caplog.records] == [f"{short.audio}: skipped, shorter than the 1.68 s needed"]


def test_only_short_tracks_are_an_error(store, tmp_path):
    short = [write(tmp_path / f"{n}.wav", n) for n in (22050, 100)]
    with pytest.raises(CorpusError, match=r"/22050\.wav: shorter than the 1\.68 s needed; use longer audio$"):
        store.prepare(short[:1])
    with pytest.raises(CorpusError, match=r"/22050\.wav and 1 more: shorter than"):
        store.prepare(short)


def test_a_missing_file_names_its_track(store, tracks, tmp_path):
    gone = dataclasses.replace(tracks[0], name="the song", audio=tmp_path / "gone.wav")
    with pytest.raises(CorpusError, match=r"gone\.wav: audio file of track 'the song' is missing"):
        store.prepare([*tracks, gone])


def test_a_damaged_file_leaves_nothing_behind(store, tracks):
    tracks[0].audio.write_text("la la la")
    with pytest.raises(AudioError, match=r"b\.wav"):
        store.prepare(tracks[:1])
    assert left(store) == []


def test_a_replaced_file_of_the_same_name_size_and_time_is_recomputed(store, tracks, frontend, decoded):
    store.prepare(tracks)
    before = np.array(store.logmel(tracks[0]))
    status = tracks[0].audio.stat()
    write(tracks[0].audio, frontend.n_samples(120), seed=9)
    os.utime(tracks[0].audio, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert tracks[0].audio.stat().st_size == status.st_size
    again = MelStore(store.directory, frontend)
    for one in (store, again):
        one.prepare(tracks)
        assert np.abs(one.logmel(tracks[0]) - before).max() > 0.1
    assert len(decoded) == 3


def test_a_copy_of_a_file_is_not_recomputed(store, tracks, tmp_path, decoded):
    store.prepare(tracks)
    copy = dataclasses.replace(tracks[0], audio=tmp_path / "copy.wav")
    copy.audio.write_bytes(tracks[0].audio.read_bytes())
    store.prepare([copy])
    assert len(decoded) == 2


def test_a_file_that_changes_while_it_is_read_is_refused(store, tracks, monkeypatch):
    def late(path, rate):
        samples = decode(path, rate)
        path.write_bytes(path.read_bytes() + bytes(100))
        return samples

    monkeypatch.setattr(melstore, "decode", late)
    with pytest.raises(AudioError, match=r"b\.wav: changed while it was read"):
        store.prepare(tracks[:1])
    assert left(store) == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda array, other: array[: len(array) // 2],
        lambda array, other: array[:-1],
        lambda array, other: b"",
        lambda array, other: b"la la la",
        lambda array, other: other,
    ],
    ids=["half", "all but a byte", "empty", "foreign", "of another track"],
)
def test_truncated_and_foreign_arrays_are_recomputed(store, tracks, frontend, damage):
    store.prepare(tracks, samples=True)
    before = contents(store)
    for kind in ("logmel", "samples"):
        mine, other = (Path(getattr(store, kind)(track).filename) for track in tracks)
        mine.write_bytes(damage(mine.read_bytes(), other.read_bytes()))
        MelStore(store.directory, frontend).prepare(tracks, samples=True)
        assert contents(store) == before


def test_concurrent_processes_compute_each_track_once(store, tracks, frontend, tmp_path, monkeypatch):
    log = tmp_path / "decoded"

    def noted(path, rate):
        with log.open("a") as file:
            file.write(f"{path.name}\n")
        time.sleep(0.05)
        return decode(path, rate)

    def prepare(number):
        one = MelStore(store.directory, frontend, workers=2)
        one.prepare(tracks)
        assert all(np.isfinite(one.logmel(track)).all() for track in tracks)

    monkeypatch.setattr(melstore, "decode", noted)
    assert in_processes(prepare) == [0] * 8
    assert sorted(log.read_text().split()) == ["a.wav", "b.wav"]
    assert len(left(store)) == 2


def test_leftovers_of_a_killed_process_are_overwritten(store, tracks):
    def killed(*_):
        os.kill(os.getpid(), signal.SIGKILL)

    def prepare(number):
        os.fsync = killed
        store.prepare(tracks[:1])

    assert in_processes(prepare, 1) == [-signal.SIGKILL]
    assert [path.suffix for path in left(store)] == [".part"]
    store.prepare(tracks[:1])
    assert [path.suffix for path in left(store)] == [".npy"]


def test_a_full_disk_is_an_error_and_keeps_existing_arrays(store, tracks, tmp_path):
    """The system refuses to write more than half an array."""
    store.prepare(tracks[:1])
    before = contents(store)

    def prepare(number):
        half = len(next(iter(before.values()))) // 2
        resource.setrlimit(resource.RLIMIT_FSIZE, (half, half))
        with pytest.raises(ConfigError, match=r"mels: cannot be written \(File too large\): set SVDX_CACHE"):
            store.prepare(tracks)

    assert in_processes(prepare, 1) == [0]
    assert contents(store) == before


def test_an_interrupted_write_leaves_nothing_behind(store, tracks, monkeypatch):
    def disk_full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", disk_full)
        with pytest.raises(ConfigError, match=r"mels: cannot be written \(No space left on device\): set SVDX_CACHE"):
            store.prepare(tracks[:1])
    assert left(store) == []
    store.prepare(tracks)
    assert store.logmel(tracks[0]).shape == (120, 80)


def test_labels_in_another_unit_are_refused_during_preparation(store, tracks):
    """The tracks are 1.76 s long."""
    first, second = tracks
    right = dataclasses.replace(first, segments=(Segment(0, 1.8, True),))
    wrong = dataclasses.replace(second, segments=(Segment(0, 1700, True),), labels=second.audio.with_suffix(".lab"))
    assert store.prepare([right]) == [right]
    with pytest.raises(
        CorpusError, match=r"a\.lab: looks like milliseconds: 1700 for a track of 1\.\d s; write seconds"
    ):
        store.prepare([right, wrong])


def test_labels_beyond_the_audio_are_reported_once(store, tracks, caplog):
    longer = dataclasses.replace(tracks[0], segments=(Segment(0, 3, True),))
    for _ in range(3):
        store.prepare([longer])
    assert [record.message.endswith("are both of one recording?") for record in caplog.records] == [True]
