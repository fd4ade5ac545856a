"""Atomic writes and inter-process locks."""

import os
import signal
import threading
import time

import pytest

from svdx.files.atomic import atomic_write, process_lock
from tests.support.at_once import TRIALS, in_processes, killed_while


def test_an_unfinished_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    for text in ("old", "new"):
        with atomic_write(path) as unfinished:
            unfinished.write_text(text)
        assert path.read_text() == text
    with pytest.raises(ZeroDivisionError), atomic_write(path) as unfinished:
        unfinished.write_text("newer")
        raise ZeroDivisionError
    assert path.read_text() == "new" and [*tmp_path.iterdir()] == [path]


@pytest.mark.parametrize("trial", TRIALS)
def test_a_killed_writer_leaves_the_old_or_the_new_file(tmp_path, trial):
    path = tmp_path / "a.txt"

    def write(number):
        with atomic_write(path) as unfinished, unfinished.open("w") as file:
            for _ in range(100):
                file.write(f"{number:06d}")
                file.flush()

    killed_while(write, path.exists, trial, 0.05)
    text = path.read_text()
    assert text == text[:6] * 100
    write(7)
    assert path.read_text() == "000007" * 100


def test_data_are_flushed_before_the_file_is_replaced(tmp_path, monkeypatch):
    def refuse(descriptor):
        raise OSError(28, "No space left on device")

    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(OSError, match="No space left"), atomic_write(tmp_path / "a.txt") as unfinished:
        unfinished.write_text("new")
    assert (tmp_path / "a.txt").read_text() == "old" and len([*tmp_path.iterdir()]) == 1


def test_concurrent_writers_do_not_mix(tmp_path):
    with atomic_write(tmp_path / "a.txt") as one, atomic_write(tmp_path / "a.txt") as other:
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "a.txt").read_text() == "one"


def test_the_lock_is_exclusive_and_waiting_is_logged(tmp_path, caplog):
    caplog.set_level("INFO")
    inside, most = [], []

    def enter():
        with process_lock(tmp_path / "locks" / "a.lock", "waiting for another"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.02)
            inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 4 and "waiting for another" in caplog.text


def test_a_killed_process_holds_no_lock(tmp_path):
    def enter(number):
        with process_lock(tmp_path / "a.lock"):
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_processes(enter, 1) == [-signal.SIGKILL]
    with process_lock(tmp_path / "a.lock"):
        pass


def test_a_lock_that_cannot_be_created_is_an_immediate_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists"), process_lock(tmp_path / "file" / "a.lock"):
        pass
