"""The process that runs the cases and writes the outcome of each as a line of JSON.

python -m fuzz.child SEED FIRST END
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from contextlib import suppress
from pathlib import Path
from random import Random

import torch

from fuzz.mutate import mutated
from fuzz.run import MAX_BYTES
from fuzz.seeds import seeds
from fuzz.targets import TARGETS
from svdx.errors import SvdxError

ROOM = 2**31  # bytes of address space that a case may take beyond those of the process at its start


def case(kinds: dict[str, list[bytes]], seed: int, number: int) -> tuple[str, bytes]:
    """Kind and content of a case; the kinds alternate."""
    random = Random(f"{seed} {number}")
    kind = list(kinds)[number % len(kinds)]
    return kind, mutated(random.choice(kinds[kind]), random)


def outcome(kind: str, path: Path) -> str:
    """Read a file: "" for a result or an error of svdx, else the end of the traceback."""
    try:
        TARGETS[kind](path)
    except SvdxError as error:
        if "\n" in str(error).replace(str(path), ""):
            return f"an error of several lines: {error}"
        return _out_of_memory(error)
    except BaseException:
        return traceback.format_exc()[-1500:]
    return ""


def _out_of_memory(error: BaseException | None) -> str:
    """A description if an allocation failed in the chain of causes of an error, else "". NumPy may refuse to allocate
    an array that a header declares: nothing is allocated then."""
    while error:
        numpy_refused = str(error).startswith("Unable to allocate")
        if (isinstance(error, MemoryError) and not numpy_refused) or "allocate memory" in str(error):
            return f"out of memory: {error}"
        error = error.__cause__ or error.__context__
    return ""


def peak() -> int:
    """Peak resident bytes since `reset_peak`, without mapped files, whose share depends on what the system has cached.
    Where /proc is missing, the peak of the process with them."""
    try:
        lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
        kilobytes = {words[0]: int(words[1]) for words in lines if words[0] in ("VmHWM:", "RssFile:")}
        return 1024 * (kilobytes["VmHWM:"] - kilobytes["RssFile:"])
    except (OSError, KeyError):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def reset_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def limit_memory() -> None:
    """Make allocations fail before the machine runs out of memory."""
    taken = resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, taken + ROOM))


def main(seed: int, first: int, end: int) -> None:
    report = os.fdopen(os.dup(1), "w", buffering=1)
    torch.set_num_threads(1)
    logging.disable()
    warnings.filterwarnings("ignore")
    kinds = seeds()
    with tempfile.TemporaryDirectory() as place:
        limit_memory()
        for number in range(first, end):
            kind, content = case(kinds, seed, number)
            path = Path(place, f"case.{kind}")
            path.write_bytes(content)
            print(json.dumps({"number": number, "kind": kind}), file=report)
            start = time.monotonic()
            failure = outcome(kind, path)
            seconds, memory = time.monotonic() - start, peak()
            print(json.dumps({"failure": failure, "seconds": seconds, "bytes": memory}), file=report)
            if memory > MAX_BYTES:  # of this case, not of those that follow
                reset_peak()
            for file in Path(place).iterdir():
                file.unlink()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
