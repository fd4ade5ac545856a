"""Entry points as a person types them, on one tiny synthetic corpus."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parent.parent
CORPUS = ("data.n_train=4", "data.n_valid=2", "data.n_test=2", "data.seconds=8")
QUICK = ("classifier.fit.limit_train_batches=4", "classifier.fit.max_epochs=1", "inverter.width=8")
EACH_EPOCH, NEVER = ("++classifier.fit.check_val_every_n_epoch=" + n for n in ("1", "2"))  # is validated
KEY = "synthetic-4-2-2x8s-seed0"


class Shell:
    """Runs entry points from the checkout's root, with a cache and results of its own."""

    def __init__(self, place):
        self.place, self.cache = place, place / "cache"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
        self.environment |= {"SVDX_CACHE": str(self.cache), "OMP_NUM_THREADS": "1"}

    def __call__(self, name, script, *words, status=0):
        """Runs `python script words…` with its results in a directory `name`; gives that directory and the output."""
        kind = "sweep" if "-m" in words else "run"
        command = [sys.executable, script, *words, f"hydra.{kind}.dir={self.place / name}"]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == status, done.stdout + done.stderr
        return self.place / name, done


def metrics(directory):
    with (directory / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def lines(directory):
    return (directory / "curve.csv").read_text().splitlines()


def epochs(directory):
    return torch.load(directory / "checkpoints/last.ckpt", weights_only=True)["epoch"] + 1


def of(lines, *thresholds):
    """The lines of a curve.csv at these thresholds, below its first line."""
    head, *rows = lines
    column = head.split(",").index("threshold")
    return [head, *(row for row in rows if float(row.split(",")[column]) in thresholds)]
