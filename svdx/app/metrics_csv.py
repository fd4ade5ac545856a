"""metrics.csv: what Lightning logs, in a file that is complete at any moment."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.loggers.logger import rank_zero_experiment

from svdx.files.atomic import atomic_write


class MetricsCsv(CSVLogger):
    """Lightning's CSVLogger with two differences: a new column rewrites the file atomically, and a resumed run keeps
    the rows before its checkpoint.

    save_dir: directory of metrics.csv; resume: keep the rows of an earlier run in that directory
    """

    def __init__(self, save_dir: str | Path, resume: bool = False) -> None:
        super().__init__(save_dir, name="", version="")
        self.resume = resume

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        if self._experiment is None:
            self._experiment = _Writer(self.log_dir, self.resume)
        return self._experiment


class _Writer(ExperimentWriter):
    def __init__(self, log_dir: str, keep_rows: bool) -> None:
        self.keep_rows = keep_rows
        super().__init__(log_dir)
        rows = self._rows()
        self.metrics_keys = list(rows[0]) if rows else []

    def log_metrics(self, metrics_dict: dict[str, float], step: int | None = None) -> None:
        if self.keep_rows and step is not None:  # rows after the checkpoint will be logged again
            self._rewrite(self.metrics_keys, [row for row in self._rows() if int(row["step"]) < step])
            self.keep_rows = False
        super().log_metrics(metrics_dict, step)

    def _check_log_dir_exists(self) -> None:
        if not self.keep_rows:
            Path(self.metrics_file_path).unlink(missing_ok=True)

    def _rewrite_with_new_header(self, fieldnames: list[str]) -> None:
        self._rewrite(fieldnames, self._rows())

    def _rewrite(self, fieldnames: list[str], rows: list[dict[str, str]]) -> None:
        with atomic_write(Path(self.metrics_file_path)) as unfinished, unfinished.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames)
            writer.writeheader()
            writer.writerows(rows)

    def _rows(self) -> list[dict[str, str]]:
        path = Path(self.metrics_file_path)
        if not path.is_file():
            return []
        with path.open(newline="") as file:
            return list(csv.DictReader(file))
