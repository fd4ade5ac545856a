"""Concurrent processes, and processes killed at random moments."""

import multiprocessing
import signal
import time
from itertools import count

import numpy as np
import pytest

TRIALS = [*range(3), *(pytest.param(trial, marks=pytest.mark.soak) for trial in range(3, 20))]
LONGEST = 300  # seconds
PROCESSES = multiprocessing.get_context("fork")


def in_processes(function, n=8):
    """Exit codes of n forked processes that call function(number) at the same time."""
    begin = PROCESSES.Barrier(n)

    def called(number):
        begin.wait()
        function(number)

    started = [PROCESSES.Process(target=called, args=(number,)) for number in range(n)]
    for process in started:
        process.start()
    for process in started:
        process.join(LONGEST)
        process.kill()
    return [process.exitcode for process in started]


def killed_while(repeat, begun, trial, longest=0.2):
    """Kill a process that calls repeat(1), repeat(2), … at a random moment after begun() has become true."""

    def forever():
        for number in count(1):
            repeat(number)

    process = PROCESSES.Process(target=forever)
    process.start()
    until = time.monotonic() + LONGEST
    while not begun() and time.monotonic() < until:
        time.sleep(0.001)
    time.sleep(np.random.default_rng(trial).uniform(0, longest))
    process.kill()
    process.join(LONGEST)
    assert process.exitcode == -signal.SIGKILL
