"""Run cases and report failures: `make fuzz`, or python -m fuzz COUNT [SEED]. A seed always gives the same cases."""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

from fuzz.child import case
from fuzz.run import run
from fuzz.seeds import seeds

FAILED = Path("runs/fuzz")  # the files of failed cases


def main(count: int = 1000, seed: int = 0) -> None:
    start = time.monotonic()
    results = run(count, seed)
    failed = [result for result in results if result.failure]
    kinds = Counter(result.kind for result in results)
    for result in failed:
        FAILED.mkdir(parents=True, exist_ok=True)
        path = FAILED / f"{seed}-{result.number}.{result.kind}"
        path.write_bytes(case(seeds(), seed, result.number)[1])
        print(f"{path}: {result.failure}\n")
    print(", ".join(f"{count} {kind}" for kind, count in kinds.items()))
    slowest, largest = max(result.seconds for result in results), max(result.bytes for result in results) >> 20
    print(f"{len(results)} cases in {time.monotonic() - start:.0f} s; at most {slowest:.1f} s and {largest} MiB")
    sys.exit(f"{len(failed)} failed" if failed else 0)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
