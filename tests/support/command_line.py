"""Entry points as a person types them, on one tiny synthetic corpus."""

import csv
import multiprocessing
import os
import runpy
import signal
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import torch

LONGEST = 300  # seconds of a command
ROOT = Path(__file__).parent.parent.parent
QUICK = ("classifier.fit.limit_train_batches=4", "classifier.fit.max_epochs=1", "inverter.width=8")
EACH_EPOCH, NEVER = ("++classifier.fit.check_val_every_n_epoch=" + n for n in ("1", "2"))  # is validated
ONE_EPOCH = ("inverter.fit.max_epochs=1", "inverter.fit.check_val_every_n_epoch=1")
SIZES = ("data.n_train=4", "data.n_valid=2", "data.n_test=2", "data.seconds=8")
CORPUS = (*SIZES, *QUICK, EACH_EPOCH, *ONE_EPOCH)  # with the recipes of its networks, so that they are found again
FEW = ("excerpts.n=9", "excerpts.batch_size=4")  # the last batch is smaller, and so is the second process' share
KEY = "synthetic-4-2-2x8s-seed0"


class Shell:
    """Runs entry points from the checkout's root, with a cache and results of its own.

    Each command has a process of its own, which takes the libraries, already loaded, from a server: that saves the
    seconds that importing torch and Lightning takes.
    """

    def __init__(self, place):
        self.place, self.cache = place, place / "cache"
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("WANDB")}
        self.environment |= {"SVDX_CACHE": str(self.cache), "OMP_NUM_THREADS": "1"}
        self.processes = multiprocessing.get_context("forkserver")
        self.processes.set_forkserver_preload(
            ["svdx.app.pipeline", "svdx.batch.collection", "svdx.evaluation", "svdx.app.sweep"]
        )

    def __call__(self, name, script, *words, status=0):
        """Runs `python script words…` with its results in a directory `name`; gives that directory and the output."""
        process = self.start(name, script, *words)
        process.join(LONGEST)
        process.kill()
        done = self.said(name)
        assert process.exitcode == status, done.stdout + done.stderr
        return self.place / name, done

    def start(self, name, script, *words):
        """The same without waiting for it; gives the process."""
        kind = "sweep" if "-m" in words else "run"
        arguments = [script, *words, f"hydra.{kind}.dir={self.place / name}"]
        for path in self._written(name):
            path.write_text("")
        process = self.processes.Process(target=run, args=(arguments, self.environment, self._written(name)))
        process.start()
        return process

    def said(self, name):
        """What the command wrote so far."""
        return SimpleNamespace(**{path.suffix[1:]: path.read_text() for path in self._written(name)})

    def _written(self, name):
        return [self.place / f"{name}.{stream}" for stream in ("stdout", "stderr")]


def run(arguments, environment, written):
    """In a process of its own: become `python arguments…`, with standard output and standard error into two files."""
    for descriptor, path in enumerate(written, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    sys.argv, sys.path[0] = arguments, str(ROOT)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    torch.set_num_threads(1)
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    finally:
        threading._shutdown()  # as at a program's end, before its children are waited for: joblib ends its workers here


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
