"""Cases in a child process with a watchdog: whoever hangs or dies is named, and the next case goes on in a new one."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
LONGEST = 10.0  # seconds of a case
LARGEST = 10**9  # bytes of memory, with those that Python and torch take for themselves
BEGINNING = 120.0  # seconds that loading torch may take


@dataclass(frozen=True)
class Tried:
    """A case and what became of it.

    failure: in words, empty where there is none; bytes: most memory of the process until then
    """

    number: int
    kind: str
    failure: str
    seconds: float = 0.0
    bytes: int = 0


def run(count: int, seed: int) -> list[Tried]:
    """Try the first `count` cases of a seed."""
    tried: list[Tried] = []
    while len(tried) < count:
        before = len(tried)
        tried += _until_one_breaks(seed, before, count)
        if len(tried) == before:
            raise RuntimeError("the child process does not begin; try python -m fuzz.child 0 0 1")
    return tried


def _until_one_breaks(seed: int, first: int, count: int) -> list[Tried]:
    """Cases from the first on, in one process; the last of them has failed if it is not the last of all."""
    command = [sys.executable, "-m", "fuzz.child", *map(str, (seed, first, count))]
    tried: list[Tried] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        lines = _Lines(child)
        while begun := lines.next(BEGINNING if not tried else LONGEST):
            ended = lines.next(LONGEST)
            if ended is None:
                how = f"hangs: more than {LONGEST:g} s" if child.poll() is None else f"dies, code {child.poll()}"
                child.kill()
                return [*tried, Tried(begun["number"], begun["kind"], how, LONGEST)]
            tried.append(Tried(**begun, failure=_failure(ended), seconds=ended["seconds"], bytes=ended["bytes"]))
        child.kill()
    return tried


def _failure(ended: dict) -> str:
    if ended["seconds"] > LONGEST:
        return f"takes {ended['seconds']:.1f} s"
    if ended["bytes"] > LARGEST:
        return f"takes {ended['bytes'] / 1e6:.0f} MB"
    return ended["what"]


class _Lines:
    """What a process says, line by line, for as long as one waits."""

    def __init__(self, child: subprocess.Popen) -> None:
        self.child, self.buffer = child, b""
        self.selector = selectors.DefaultSelector()
        self.selector.register(child.stdout, selectors.EVENT_READ)

    def next(self, seconds: float) -> dict | None:
        """The next line; None if the process ends, or says nothing for so long."""
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
