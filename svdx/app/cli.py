"""Runs a command inside Hydra: a quiet log, errors in one line, exit codes, W&B runs that end."""

from __future__ import annotations

import functools
import logging
import shlex
import sys
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException, InstantiationException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from svdx.app.multirun import in_multirun
from svdx.app.provenance import CONFIG
from svdx.app.shell import INTERRUPTED, error_line, refuse
from svdx.app.validation import validate_settings
from svdx.errors import SvdxError, TerminatedError, printable

Task = Callable[[DictConfig], None]
EXPECTED_WARNINGS = (  # of Lightning, about what svdx does on purpose
    ".*does not have many workers.*",
    ".*GPU available but not used.*",
    ".*module.s. in eval mode at the start of training.*",
    ".*smaller than the logging interval.*",
    ".*Experiment logs directory .* exists and is not empty.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*isinstance.treespec, LeafSpec.*",
    ".*your dataloader is not resumable.*",
    "Glyph .* missing from font",  # of matplotlib, about a name in the title of a figure
)


def entry_point(name: str) -> Task:
    """The task of a command for `hydra.main`, which names the job after it.

    The settings are validated before svdx.commands.NAME is imported, since torch and Lightning take seconds.
    """

    def main(cfg: DictConfig) -> None:
        validate_settings(cfg)
        import_module(f"svdx.commands.{name}").main(cfg)

    main.__module__ = f"svdx.commands.{name}"
    return command(main)


def command(main: Task) -> Task:
    """Wrap a task for `hydra.main`.

    An `SvdxError`, or a value missing from the configuration, ends the program with its exit code and one line on
    standard error. In a multirun Hydra names the failed job and prints that line after the other jobs have run.
    """

    @functools.wraps(main)
    def run(cfg: DictConfig) -> None:
        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        for handler in logging.getLogger().handlers:
            handler.addFilter(_make_printable)
        for text in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", text)
        exit_code = 1
        try:
            main(cfg)
            exit_code = 0
        except KeyboardInterrupt:
            _stop(cfg, "interrupted", INTERRUPTED)
        except SystemExit as end:
            _stop_at_exit(cfg, end)
        except TerminatedError as end:
            _stop(cfg, str(end), end.exit_code)
        except (SvdxError, InstantiationException, OmegaConfBaseException) as error:
            cause = error.__cause__ if isinstance(error, InstantiationException) else error
            if not isinstance(cause, SvdxError | OmegaConfBaseException):
                raise
            if in_multirun():
                raise CompactHydraException(error_line(cause)) from None
            refuse(cause)
        finally:
            wandb = sys.modules.get("wandb")
            if wandb is not None and wandb.run is not None:
                wandb.finish(exit_code=exit_code)

    return run


def _stop_at_exit(cfg: DictConfig, end: SystemExit) -> NoReturn:
    """Stop as after the signal that Lightning turned into a SystemExit; raise any other one again."""
    lightning = sys.modules.get("pytorch_lightning.utilities.exceptions")
    if lightning is not None and isinstance(end, lightning.SIGTERMException):  # Lightning's exit code is 0
        _stop(cfg, "stopped by SIGTERM", TerminatedError.exit_code)
    if isinstance(end.__context__, KeyboardInterrupt):  # Lightning's exit code is 1
        _stop(cfg, "interrupted", INTERRUPTED)
    raise end


def _stop(cfg: DictConfig, what: str, exit_code: int) -> NoReturn:
    """Exit with one line that names the cause and how to continue. In a multirun the remaining jobs do not begin."""
    kind, place = ("sweep", HydraConfig.get().sweep.dir) if in_multirun() else ("run", cfg.paths.run)
    begun = in_multirun() or (Path(place) / CONFIG).is_file()
    typed = [shlex.quote(f"hydra.{kind}.dir={place}"), *["resume=true"] * (begun and "resume" in cfg)]
    without = ", without overwrite=true" if cfg.get("overwrite") else ""
    print(f"svdx: {printable(what)}; to go on: the same command with {' '.join(typed)}{without}", file=sys.stderr)
    sys.exit(exit_code)


def _make_printable(record: logging.LogRecord) -> bool:
    """A logging filter that keeps every record and escapes what neither terminals nor log files can show."""
    record.msg, record.args = printable(record.getMessage()), None
    return True
