"""metrics.csv: whole at any moment, also where a new column makes it be written anew, and kept on resuming."""

import csv
import os
import signal

import pytest

from svdx.app.metrics_csv import MetricsCsv
from tests.support.at_once import in_processes


def logger(directory, keep=False):
    return MetricsCsv(directory, resume=keep)


def rows(directory):
    with (directory / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def log(logger, step, **metrics):
    logger.log_metrics(metrics, step)
    logger.save()


def test_a_new_column_keeps_the_rows(tmp_path):
    one = logger(tmp_path)
    log(one, 0, loss=1.0)
    log(one, 1, loss=0.5)
    log(one, 2, loss=0.25, valid=3.0)
    log(one, 3, loss=0.1)
    assert rows(tmp_path) == [
        {"loss": "1.0", "step": "0", "valid": ""},
        {"loss": "0.5", "step": "1", "valid": ""},
        {"loss": "0.25", "step": "2", "valid": "3.0"},
        {"loss": "0.1", "step": "3", "valid": ""},
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


@pytest.mark.parametrize("method", ["writeheader", "writerows"])
def test_killed_while_it_is_rewritten_the_old_file_stays(tmp_path, monkeypatch, method):
    one = logger(tmp_path)
    log(one, 0, loss=1.0)
    before = rows(tmp_path)

    def log_another(number):
        monkeypatch.setattr(csv.DictWriter, method, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        log(one, 1, loss=0.5, valid=3.0)

    assert in_processes(log_another, 1) == [-signal.SIGKILL]
    assert rows(tmp_path) == before


def test_a_resumed_run_keeps_the_rows_and_a_new_run_does_not(tmp_path):
    log(logger(tmp_path), 0, loss=1.0)
    resumed = logger(tmp_path, keep=True)
    assert resumed.experiment and rows(tmp_path)  # at no moment without them
    log(resumed, 1, loss=0.5, valid=3.0)
    assert [row["loss"] for row in rows(tmp_path)] == ["1.0", "0.5"]
    again = logger(tmp_path, keep=True)  # from a checkpoint before the row of step 1
    log(again, 1, loss=0.4)
    log(again, 2, loss=0.3)
    assert [(row["step"], row["loss"]) for row in rows(tmp_path)] == [("0", "1.0"), ("1", "0.4"), ("2", "0.3")]
    log(logger(tmp_path), 0, loss=7.0)
    assert [row["loss"] for row in rows(tmp_path)] == ["7.0"]
