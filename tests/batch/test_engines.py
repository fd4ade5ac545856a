"""The engines: every track once and in order, whoever does it and whatever happens to them, and the same files."""

import os
import re
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hydra import compose, initialize_config_dir

from svdx.batch import on_ray
from svdx.batch.job import Outcome
from svdx.batch.local import Local
from svdx.batch.on_ray import OnRay
from svdx.errors import ConfigError

CONF = Path(__file__).parent.parent.parent / "conf"
TRACKS = [(f"{number}.wav", f"track {number}") for number in range(7)]
TWO = ("trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp")
LONGEST = 300  # seconds of a command


class Noted:
    """A job that notes in a file when it begins and ends a track, and does with a file what `fates` says.

    A track whose fate is to wait does so until `release`.
    """

    def __init__(self, place, **fates):
        self.log, self.released, self.fates = place / "log", place / "released", fates

    def release(self):
        self.released.touch()

    def to(self, device):
        return self

    def note(self, what, name):
        with self.log.open("a") as file:
            file.write(f"{what} {name.removeprefix('track ')} {os.getpid()}\n")

    def __call__(self, file, name):
        fate = self.fates.get(name.replace(" ", "_"), "done")
        self.note("begins", name)
        if fate == "waits":
            wait_until(self.released.exists)
            fate = "done"
        if fate == "kills":
            os.kill(os.getpid(), signal.SIGKILL)
        if fate == "breaks":
            raise ZeroDivisionError("a defect")
        self.note("ends", name)
        return Outcome(fate, "" if fate in ("done", "up to date") else f"{file}: {fate}")

    def noted(self, what):
        """Numbers of tracks and processes, in the order in which they began or ended."""
        lines = [line.split() for line in self.log.read_text().splitlines()] if self.log.exists() else []
        return [(int(number), int(process)) for began, number, process in lines if began == what]


def wait_until(condition):
    end = time.monotonic() + LONGEST
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)


@contextmanager
def meanwhile(function):
    """Runs a function in a thread, beside what is done in the context."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    yield
    thread.join(LONGEST)


@pytest.fixture(scope="module")
def ray():
    """Ray with two cores, in this process."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'svdx[ray]'")
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not find tests/
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="CRITICAL")
    yield ray
    ray.shutdown()


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.slow)])
def engine(request, make_trainer):
    if request.param == "local":
        return Local(make_trainer())
    request.getfixturevalue("ray")
    return OnRay(make_trainer(), workers=2)


def test_every_track_once_and_in_order(engine, tmp_path, caplog):
    job = Noted(tmp_path, track_2="failed", track_3="up to date")
    outcomes = engine(job, TRACKS)
    assert [outcome.state for outcome in outcomes] == ["done", "done", "failed", "up to date", "done", "done", "done"]
    assert outcomes[2].reason == "2.wav: failed" and "left out: 2.wav: failed" in caplog.text
    assert sorted(number for number, _ in job.noted("begins")) == list(range(7))


def test_a_refused_track_ends_the_run(engine, tmp_path):
    with pytest.raises(ConfigError, match=r"^0\.wav: refused$"):
        engine(Noted(tmp_path, track_0="refused"), TRACKS)
    assert len(Noted(tmp_path).noted("ends")) < 7


def test_a_defect_of_svdx_is_raised_and_not_counted_as_a_failed_track(engine, tmp_path):
    with pytest.raises((ZeroDivisionError, RuntimeError), match="a defect"):
        engine(Noted(tmp_path, track_1="breaks"), TRACKS)


@pytest.mark.slow
def test_a_track_that_kills_its_workers_is_left_out_and_no_other(ray, make_trainer, tmp_path, caplog):
    job = Noted(tmp_path, track_1="kills")
    outcomes = OnRay(make_trainer(), workers=2)(job, TRACKS)
    assert outcomes[1] == Outcome("failed", "1.wav: every worker that processed it died")
    assert "left out: 1.wav" in caplog.text
    assert {outcome.state for outcome in [outcomes[0], *outcomes[2:]]} == {"done"}
    begun = [number for number, _ in job.noted("begins")].count(1)  # not each time: its worker may not live so long
    assert on_ray.ROUNDS <= begun <= (on_ray.RETRIES + 1) * on_ray.ROUNDS
    assert {number for number, _ in job.noted("ends")} == {0, 2, 3, 4, 5, 6}


@pytest.mark.slow
def test_a_killed_workers_track_is_begun_again_and_no_other(ray, make_trainer, tmp_path):
    job = Noted(tmp_path, track_3="waits")

    def kill():
        """The worker that has track 3 in hand, when the other one has had one, too."""
        wait_until(lambda: 3 in dict(job.noted("begins")) and len({process for _, process in job.noted("begins")}) == 2)
        os.kill(dict(job.noted("begins"))[3], signal.SIGKILL)
        job.release()

    with meanwhile(kill):
        outcomes = OnRay(make_trainer(), workers=2)(job, TRACKS)
    assert [outcome.state for outcome in outcomes] == ["done"] * 7
    assert sorted(number for number, _ in job.noted("ends")) == list(range(7))
    begun = [number for number, _ in job.noted("begins")]
    assert sorted(begun) == sorted([*range(7), 3])
    assert len({process for number, process in job.noted("begins") if number == 3}) == 2


def test_missing_ray_is_an_error_in_one_line(make_trainer, monkeypatch):
    monkeypatch.setattr(on_ray, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"^engine=ray: Ray is not installed: pip install 'svdx\[ray\]'$"):
        OnRay(make_trainer())


def test_devices_are_for_the_other_engine(make_trainer):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'svdx[ray]'")
    with pytest.raises(ConfigError, match=r"leave out the devices of trainer"):
        OnRay(make_trainer(devices=2, strategy="ddp"))


def test_a_missing_cluster_is_an_error_in_one_line(make_trainer, tmp_path, monkeypatch):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'svdx[ray]'")

    def nowhere(address, **options):
        raise ConnectionError(f"Could not find\n  {address}")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", nowhere)
    with pytest.raises(ConfigError, match=r"^ray\.address=auto: Could not find auto$"):
        OnRay(make_trainer(), address="auto")(Noted(tmp_path), TRACKS)


def test_the_keys_of_the_command_line():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        assert compose("explain", ["paths.run=run"]).engine == {"_target_": "svdx.batch.local.Local"}
        cfg = compose("explain", ["paths.run=run", "engine=ray", "ray.address=auto", "engine.workers=3"])
    assert (cfg.engine.address, cfg.engine.workers, cfg.engine.gpus) == ("auto", 3, 0)
    assert cfg.trainer.num_nodes == 1


@pytest.fixture(scope="module")
def songs(tmp_path_factory):
    """Six tracks of noise, one of them labelled, one that is none, and a name that is there twice."""
    place = tmp_path_factory.mktemp("songs")
    for folder in ("audio", "labels"):
        (place / folder).mkdir()
    for number in range(6):
        noise = 0.1 * np.random.default_rng(number).standard_normal((6 * 22050, 2))
        soundfile.write(place / f"audio/{number}.flac", noise, 22050)
    soundfile.write(place / "audio/3.wav", noise[: 3 * 22050], 22050)
    (place / "audio/broken.mp3").write_text("no sound")
    (place / "labels/2.lab").write_text("1 4 sing\n")
    return place


@pytest.fixture(scope="module")
def words(songs, untrained):
    return (*untrained, f"audio={songs}/audio", "start=all")


@pytest.fixture(scope="module")
def alone(shell, words):
    """The results of one process."""
    return shell("alone", "explain.py", *words)[0]


def contents(directory):
    """Everything that is said of the tracks, by file."""
    files = [path for path in directory.glob("*/*.*") if path.parent.name != ".hydra"] + [directory / "index.html"]
    return {str(path.relative_to(directory)): path.read_bytes() for path in files}


def assert_same(directory, alone):
    assert contents(directory).keys() == contents(alone).keys()
    assert [name for name, data in contents(alone).items() if contents(directory)[name] != data] == []
    assert not (directory / ".part").exists()


@pytest.mark.slow
def test_one_process(alone):
    assert len(contents(alone)) == 7 * 7 + 1  # seven files of seven tracks
    links = re.findall(r'href="(.*?)/report.html"', (alone / "index.html").read_text())
    assert links == ["0", "1", "2", "3", "3%202", "4", "5"]


@pytest.mark.slow
def test_two_processes_of_ddp_give_the_files_of_one(shell, words, alone):
    directory, done = shell("ddp", "explain.py", *words, *TWO)
    assert "7 of 8 tracks explained, 0 of them before" in done.stdout
    assert_same(directory, alone)


@pytest.mark.slow
def test_a_process_without_a_track_does_not_block_the_others(shell, untrained, songs):
    directory, done = shell("one of two", "explain.py", *untrained, f"audio={songs}/audio/3.w*", *TWO)
    assert "1 of 1 tracks explained" in done.stdout
    assert (directory / "3/report.html").exists()


@pytest.mark.slow
def test_a_second_run_finds_all_of_the_first(shell, words, alone):
    before = contents(alone)
    _, done = shell("alone", "explain.py", *words)
    assert "7 of 8 tracks explained, 7 of them before" in done.stdout
    assert contents(alone) == before


def readers_of(pipe):
    """Ids of the other processes that have a named pipe open."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):  # ended, or closed, meanwhile
            if link.readlink() == pipe:
                found.add(int(link.parts[2]))
    return found - {os.getpid()}


@pytest.mark.slow
def test_ray_gives_the_files_of_one_process_though_a_worker_is_killed(shell, songs, words, alone):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'svdx[ray]'")
    directory, label, found = shell.place / "ray", songs / "labels/2.lab", {}
    said = label.read_text()
    label.unlink()
    os.mkfifo(label)  # whoever has this track in hand waits there for the label, which does not come

    def kill():
        """The worker that waits, when another track is finished."""
        with label.open("w"):  # waits for a reader
            wait_until(lambda: readers_of(label) and list(directory.glob("*/report.html")))
            (worker,) = readers_of(label)
            label.unlink()
            label.write_text(said)
            found["finished"] = {page.parent: page.stat().st_mtime_ns for page in directory.glob("*/report.html")}
            os.kill(worker, signal.SIGKILL)

    with meanwhile(kill):
        _, done = shell("ray", "explain.py", *words, "engine=ray", "engine.workers=2")
    assert 0 < len(found["finished"]) < 7
    # a track that was finished when its worker was killed, but not yet reported, is found there by the next one
    assert re.search("7 of 8 tracks explained, [01] of them before", done.stdout), done.stdout
    assert_same(directory, alone)
    assert {place: (place / "report.html").stat().st_mtime_ns for place in found["finished"]} == found["finished"]
