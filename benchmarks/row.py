"""A line of the table, and how its times are taken."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Row:
    """What was timed: ours, the plain way, by what ratio they differ, the ratio aimed at, and what would be left to
    gain if nothing but the arithmetic took time."""

    what: str
    ours: str
    plain: str
    ratio: float
    aim: str
    left: str = ""

    def __str__(self) -> str:
        return f"| {self.what} | {self.ours} | {self.plain} | {self.ratio:.2f} | {self.aim} | {self.left} |"


HEAD = "| what | svdx | plain | ratio | aim | left to the limit |\n|---|---|---|---|---|---|"


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """The shortest of several runs after one to warm up: what other work on the machine disturbs is left out."""
    work()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def in_turn(first: Callable[[], object], second: Callable[[], object], times: int = 5) -> tuple[float, float]:
    """The shortest run of either, by turns, so that both see the same machine."""
    pairs = [(seconds(first, 1), seconds(second, 1)) for _ in range(times)]
    return min(a for a, _ in pairs), min(b for _, b in pairs)


@contextmanager
def one_core() -> Iterator[None]:
    """While torch computes with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def arithmetic_rate() -> float:
    """What the machine reaches in a large product of float32 matrices, operations a second."""
    matrix = torch.randn(1536, 1536)
    return 2 * 1536**3 / seconds(lambda: matrix @ matrix)


def milliseconds(taken: float, digits: int = 1) -> str:
    return f"{1000 * taken:.{digits}f} ms"
