"""Run the benchmarks and print a table: `make bench`, or python -m benchmarks [NAME…], names as in `PARTS`."""

from __future__ import annotations

import logging
import platform
import sys
import time
import warnings

import torch

from benchmarks import evaluation, features, inverter, memory, svdnet
from benchmarks import frontend as front_end
from benchmarks.configured import frontend
from benchmarks.row import HEAD, arithmetic_rate

PARTS = {
    "frontend": lambda: front_end.rows(frontend()),
    "features": features.rows,
    "inverter": inverter.rows,
    "svdnet": svdnet.rows,
    "evaluation": evaluation.rows,
    "memory": memory.rows,
}


def main() -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    start = time.perf_counter()
    rate = arithmetic_rate() / 1e9
    print(f"{platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}, {rate:.0f} GFLOP/s\n")
    print(HEAD, flush=True)
    for part in sys.argv[1:] or PARTS:
        for row in PARTS[part]():
            print(row, flush=True)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
