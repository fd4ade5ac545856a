"""Peak memory of reading one epoch of excerpts from 20 hours of log-mels, against 1 hour.

Each is measured in its own process: python -m benchmarks.memory HOURS
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.row import Row
from svdx.audio.logmel import FrontEnd
from svdx.corpora.track import Track
from svdx.data.batches import Batches
from svdx.data.cache import MelStore
from svdx.data.excerpts import Excerpts, every

FRAMES = 70 * 180  # of a track of three minutes
MAX_MIB = 200  # for 19 more hours


class Generated(MelStore):
    """A store of noise."""

    def write(self, tracks: list[Track]) -> None:
        self.directory.mkdir(exist_ok=True)
        noise = np.random.default_rng(0).standard_normal((FRAMES, 80), np.float32)
        for track in tracks:
            track.audio.write_text(track.name)
            np.save(self._path(track, "logmel"), noise)


def read_an_epoch(hours: int, frontend: FrontEnd) -> int:
    """Peak resident memory in MiB, including mapped files (Linux only)."""
    with tempfile.TemporaryDirectory() as place:
        tracks = [Track(str(number), Path(place) / str(number), ()) for number in range(20 * hours)]
        store = Generated(Path(place) / "mels", frontend)
        store.write(tracks)
        excerpts = Excerpts(store, tracks, every([FRAMES - 114] * len(tracks), 40), 115)
        total = torch.zeros(())
        for numbers in Batches(len(excerpts), 32, train=True):
            total += excerpts[numbers]["logmel"].sum()
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024


def rows() -> list[Row]:
    peaks = []
    for hours in (1, 20):
        command = [sys.executable, "-m", "benchmarks.memory", str(hours)]
        peaks.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1]))
    one, twenty = peaks
    what = "peak memory of reading an epoch from 20 hours of log-mels; baseline: from 1 hour"
    return [Row(what, f"{twenty} MiB", f"{one} MiB", twenty / one, f"{MAX_MIB} MiB more")]


if __name__ == "__main__":
    from benchmarks.configured import frontend

    print(read_an_epoch(int(sys.argv[1]), frontend()))
