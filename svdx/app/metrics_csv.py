"""metrics.csv: what Lightning logs, in a file that is whole at any moment."""

from __future__ import annotations

import csv
from pathlib import Path

from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.loggers.csv_logs import ExperimentWriter
from pytorch_lightning.loggers.logger import rank_zero_experiment

from svdx.files.atomic import atomic_write


class MetricsCsv(CSVLogger):
    """Lightning's CSVLogger, but for two things: a new column does not truncate the file before it is written anew, and
    a resumed run goes on from the rows that are there.

    keep: whether rows of a run before this one in the same directory stay
    """

    keep = False

    @property
    @rank_zero_experiment
    def experiment(self) -> ExperimentWriter:
        if self._experiment is None:
            self._experiment = _Writer(self.log_dir, self.keep)
        return self._experiment


class _Writer(ExperimentWriter):
    def __init__(self, log_dir: str, keep: bool) -> None:
        self.keep = keep
        super().__init__(log_dir)
        rows = self._rows()
        self.metrics_keys = list(rows[0]) if rows else []

    def log_metrics(self, metrics_dict: dict[str, float], step: int | None = None) -> None:
        if self.keep and step is not None:  # what was logged after the checkpoint comes again
            self._rewrite(self.metrics_keys, [row for row in self._rows() if int(row["step"]) < step])
            self.keep = False
        super().log_metrics(metrics_dict, step)

    def _check_log_dir_exists(self) -> None:
        if not self.keep:
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
