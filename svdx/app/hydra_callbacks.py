"""Hydra's callbacks of every run. Hydra imports them before a command, so they import nothing heavy."""

from __future__ import annotations

from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from svdx.app.shell import refuse
from svdx.errors import ConfigError, expect_writable


class ResultsDirectory(Callback):
    """Refuses, in one line, a directory of results that cannot be written; Hydra would end in a traceback."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._check("run", config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._check("sweep", config)

    def _check(self, kind: str, config: DictConfig) -> None:
        try:
            expect_writable(config.hydra[kind].dir, f"give another hydra.{kind}.dir")
        except ConfigError as error:
            refuse(error)


class Gather(Callback):
    """Gathers the results of a multirun when all of its jobs have succeeded."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        from svdx.app.sweep import gather

        gather(config.hydra.sweep.dir)
