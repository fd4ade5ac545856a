"""Rows of the table, and timing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Row:
    """One benchmark.

    ours, baseline: times or sizes with their units
    ratio: between them
    target: for the ratio
    to_limit: our time over that of the arithmetic alone
    """

    what: str
    ours: str
    baseline: str
    ratio: float
    target: str
    to_limit: str = ""

    def __str__(self) -> str:
        return f"| {self.what} | {self.ours} | {self.baseline} | {self.ratio:.2f} | {self.target} | {self.to_limit} |"


HEAD = "| what | svdx | baseline | ratio | target | times the limit |\n|---|---|---|---|---|---|"


def seconds(work: Callable[[], object], times: int = 5) -> float:
    """The shortest of several runs after a warm-up; the shortest is the one least disturbed by other work."""
    work()
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return min(taken)


def in_turn(first: Callable[[], object], second: Callable[[], object], times: int = 5) -> tuple[float, float]:
    """The shortest runs of both functions, run alternately so that they share the machine's conditions."""
    pairs = [(seconds(first, 1), seconds(second, 1)) for _ in range(times)]
    return min(a for a, _ in pairs), min(b for _, b in pairs)


@contextmanager
def one_core() -> Iterator[None]:
    """Limit torch to one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def arithmetic_rate() -> float:
    """Operations per second in a large product of float32 matrices."""
    matrix = torch.randn(1536, 1536)
    return 2 * 1536**3 / seconds(lambda: matrix @ matrix)


def milliseconds(taken: float, digits: int = 1) -> str:
    return f"{1000 * taken:.{digits}f} ms"
