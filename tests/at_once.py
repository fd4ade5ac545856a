"""Functions run by real processes that begin at the same moment."""

import multiprocessing

LONGEST = 300  # seconds
PROCESSES = multiprocessing.get_context("fork")


def in_processes(function, n=8):
    """Exit codes of n processes, forked from this one, that call function(number) at once."""
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
