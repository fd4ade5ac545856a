"""Run cases in a child process with a watchdog. After a case that hangs or crashes, a new process goes on."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
MAX_SECONDS = 10.0  # per case
MAX_BYTES = 10**9  # of memory, including Python and torch
START_SECONDS = 120.0  # for importing torch


@dataclass(frozen=True)
class Result:
    """The outcome of a case.

    failure: a description, empty if the case passed
    bytes: peak memory of the process up to then
    """

    number: int
    kind: str
    failure: str
    seconds: float = 0.0
    bytes: int = 0


def run(count: int, seed: int) -> list[Result]:
    """Run the first `count` cases of a seed."""
    results: list[Result] = []
    while len(results) < count:
        before = len(results)
        results += _until_failure(seed, before, count)
        if len(results) == before:
            raise RuntimeError("the child process does not start; try python -m fuzz.child 0 0 1")
    return results


def _until_failure(seed: int, first: int, count: int) -> list[Result]:
    """Run cases from the first on in one process, up to one that hangs or crashes."""
    command = [sys.executable, "-m", "fuzz.child", *map(str, (seed, first, count))]
    results: list[Result] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        lines = _Lines(child)
        while begun := lines.next(MAX_SECONDS if results else START_SECONDS):
            ended = lines.next(MAX_SECONDS)
            if ended is None:
                failure = (
                    f"hangs: more than {MAX_SECONDS:g} s" if child.poll() is None else f"dies, code {child.poll()}"
                )
                child.kill()
                return [*results, Result(begun["number"], begun["kind"], failure, MAX_SECONDS)]
            results.append(Result(**begun, failure=_failure(ended), seconds=ended["seconds"], bytes=ended["bytes"]))
        child.kill()
    return results


def _failure(ended: dict) -> str:
    if ended["seconds"] > MAX_SECONDS:
        return f"takes {ended['seconds']:.1f} s"
    if ended["bytes"] > MAX_BYTES:
        return f"takes {ended['bytes'] / 1e6:.0f} MB"
    return ended["failure"]


class _Lines:
    """The lines of JSON that a process writes, with a time limit."""

    def __init__(self, child: subprocess.Popen) -> None:
        self.child, self.buffer = child, b""
        self.selector = selectors.DefaultSelector()
        self.selector.register(child.stdout, selectors.EVENT_READ)

    def next(self, seconds: float) -> dict | None:
        """The next line; None if the process ends or writes nothing within the time."""
        while b"\n" not in self.buffer:
            if not self.selector.select(seconds):
                return None
            piece = self.child.stdout.read1(2**16)
            if not piece:
                self.child.wait()
                return None
            self.buffer += piece
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)
