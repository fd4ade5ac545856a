"""Try cases and name those that fail: `make fuzz`, or python -m fuzz COUNT [SEED]. A seed always has the same cases."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

from fuzz.child import case
from fuzz.run import run
from fuzz.seeds import seeds

KEPT = Path("runs/fuzz")  # where the files of failed cases are left


def main(count: int = 1000, seed: int = 0) -> None:
    start = time.monotonic()
    tried = run(count, seed)
    failed = [one for one in tried if one.failure]
    kinds = Counter(one.kind for one in tried)
    for one in failed:
        KEPT.mkdir(parents=True, exist_ok=True)
        path = KEPT / f"{seed}-{one.number}.{one.kind}"
        path.write_bytes(case(seeds(), seed, one.number)[1])
        print(f"{path}: {one.failure}\n")
    print(", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    slowest, largest = max(one.seconds for one in tried), max(one.bytes for one in tried) >> 20
    print(f"{len(tried)} cases in {time.monotonic() - start:.0f} s; at most {slowest:.1f} s and {largest} MiB")
    sys.exit(f"{len(failed)} failed" if failed else 0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
