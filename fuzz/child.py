"""A process that tries one case after the other and says of each, on a line of JSON, how it ended.

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
from fuzz.run import LARGEST
from fuzz.seeds import seeds
from fuzz.targets import TARGETS
from svdx.errors import SvdxError

ROOM = 2**31  # bytes of addresses that a case may have beyond those that the process has to begin with


def case(kinds: dict[str, list[bytes]], seed: int, number: int) -> tuple[str, bytes]:
    """Kind and bytes of a case: the kinds take turns."""
    random = Random(f"{seed} {number}")
    kind = list(kinds)[number % len(kinds)]
    return kind, mutated(random.choice(kinds[kind]), random)


def outcome(kind: str, path: Path) -> str:
    """What became of a file: "" for a result or an error of svdx, else the traceback's end."""
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
    """Most bytes of memory since `forget_peak`, less what is mapped of files: how much of torch's libraries that is
    hangs on what the system has read before. Since the process began, and with them, where Linux does not tell."""
    try:
        lines = (line.split() for line in Path("/proc/self/status").read_text().splitlines())
        kilobytes = {words[0]: int(words[1]) for words in lines if words[0] in ("VmHWM:", "RssFile:")}
        return 1024 * (kilobytes["VmHWM:"] - kilobytes["RssFile:"])
    except (OSError, KeyError):
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def forget_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def limit_memory() -> None:
    """Before this machine suffers, an allocation fails."""
    taken = resource.getpagesize() * int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM, taken + ROOM))


def main(seed: int, first: int, end: int) -> None:
    said = os.fdopen(os.dup(1), "w", buffering=1)
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
            print(json.dumps({"number": number, "kind": kind}), file=said)
            start = time.monotonic()
            what = outcome(kind, path)
            seconds, most = time.monotonic() - start, peak()
            print(json.dumps({"what": what, "seconds": seconds, "bytes": most}), file=said)
            if most > LARGEST:  # of this case, not of those that follow
                forget_peak()
            for left in Path(place).iterdir():
                left.unlink()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
