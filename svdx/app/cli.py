"""What every command line does around its work: a quiet log, one clear line for bad input, W&B runs that end."""

from __future__ import annotations

import functools
import logging
import shlex
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, InstantiationException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from pytorch_lightning.utilities.exceptions import SIGTERMException

from svdx.app.multirun import in_multirun
from svdx.app.provenance import CONFIG
from svdx.app.shell import INTERRUPTED, error_line, refuse
from svdx.errors import ConfigError, SvdxError, TerminatedError, expect_writable, printable

EXPECTED_WARNINGS = (  # of Lightning, about what is meant to be so
    ".*does not have many workers.*",
    ".*GPU available but not used.*",
    ".*module.s. in eval mode at the start of training.*",
    ".*smaller than the logging interval.*",
    ".*Experiment logs directory .* exists and is not empty.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*isinstance.treespec, LeafSpec.*",
    ".*your dataloader is not resumable.*",
    "Glyph .* missing from font",  # of matplotlib, about the letters of a name in a figure's title
)


class ResultsDirectory(Callback):
    """Refuses in one line a directory of results that cannot be written, at which Hydra would end in a traceback."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._expect("run", config)

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        self._expect("sweep", config)

    def _expect(self, kind: str, config: DictConfig) -> None:
        try:
            expect_writable(config.hydra[kind].dir, f"give another hydra.{kind}.dir")
        except ConfigError as error:
            refuse(error)


def command(main: Callable[[DictConfig], None]) -> Callable[[DictConfig], None]:
    """Decorate an entry point, inside `hydra.main`.

    An `SvdxError`, or a value missing from the config, ends the program with exit code 1 and one line on standard
    error. In a multirun Hydra names the failed job and prints that line after the other jobs have run.
    """

    @functools.wraps(main)
    def run(cfg: DictConfig) -> None:
        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        for handler in logging.getLogger().handlers:
            handler.addFilter(_made_printable)
        for text in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", text)
        failed = 1
        try:
            main(cfg)
            failed = 0
        except KeyboardInterrupt:
            _stop(cfg, "interrupted", INTERRUPTED)
        except SIGTERMException:  # Lightning's, where no update was in hand; it would end with exit code 0
            _stop(cfg, "stopped by SIGTERM", TerminatedError.exit_code)
        except SystemExit as end:
            if not isinstance(end.__context__, KeyboardInterrupt):  # which Lightning turns into exit code 1
                raise
            _stop(cfg, "interrupted", INTERRUPTED)
        except TerminatedError as end:
            _stop(cfg, str(end), end.exit_code)
        except (SvdxError, InstantiationException, OmegaConfBaseException) as error:
            cause = error.__cause__ if isinstance(error, InstantiationException) else error
            if not isinstance(cause, SvdxError | OmegaConfBaseException):
                raise
            _end(cause)
        finally:
            wandb = sys.modules.get("wandb")
            if wandb is not None and wandb.run is not None:
                wandb.finish(exit_code=failed)

    return run


def _stop(cfg: DictConfig, what: str, exit_code: int) -> NoReturn:
    """Say in one line what stopped a command, and how to go on; the jobs of a multirun that are left do not begin."""
    kind, place = ("sweep", HydraConfig.get().sweep.dir) if in_multirun() else ("run", cfg.paths.run)
    begun = in_multirun() or (Path(place) / CONFIG).is_file()
    typed = [shlex.quote(f"hydra.{kind}.dir={place}"), *["resume=true"] * (begun and "resume" in cfg)]
    without = ", without overwrite=true" if cfg.get("overwrite") else ""
    print(f"svdx: {printable(what)}; to go on: the same command with {' '.join(typed)}{without}", file=sys.stderr)
    sys.exit(exit_code)


def _end(cause: Exception) -> NoReturn:
    if in_multirun():
        raise CompactHydraException(error_line(cause)) from None
    refuse(cause)


def _made_printable(record: logging.LogRecord) -> bool:
    """A filter that keeps every record: names of files may hold what neither a terminal nor a log file takes."""
    record.msg, record.args = printable(record.getMessage()), None
    return True
