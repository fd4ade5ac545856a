"""What every command line does around its work: a quiet log, one clear line for bad input, W&B runs that end."""

from __future__ import annotations

import functools
import logging
import sys
import warnings
from collections.abc import Callable

import wandb
from hydra.errors import InstantiationException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from svdx.errors import SvdxError
from svdx.multirun import in_multirun

EXPECTED_WARNINGS = (  # of Lightning, about what is meant to be so
    ".*does not have many workers.*",
    ".*GPU available but not used.*",
    ".*module.s. in eval mode at the start of training.*",
    ".*smaller than the logging interval.*",
    ".*Experiment logs directory .* exists and is not empty.*",
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*isinstance.treespec, LeafSpec.*",
    ".*your dataloader is not resumable.*",
)


def command(main: Callable[[DictConfig], None]) -> Callable[[DictConfig], None]:
    """Decorate an entry point, inside `hydra.main`.

    An `SvdxError`, or a value missing from the config, ends the program with exit code 1 and one line on standard
    error; in a multirun it is left to Hydra.
    """

    @functools.wraps(main)
    def run(cfg: DictConfig) -> None:
        logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
        for text in EXPECTED_WARNINGS:
            warnings.filterwarnings("ignore", text)
        failed = 1
        try:
            main(cfg)
            failed = 0
        except (SvdxError, InstantiationException, OmegaConfBaseException) as error:
            cause = error.__cause__ if isinstance(error, InstantiationException) else error
            if not isinstance(cause, SvdxError | OmegaConfBaseException):
                raise
            if in_multirun():
                raise cause from None
            print(f"svdx: {str(cause).splitlines()[0]}", file=sys.stderr)
            sys.exit(getattr(cause, "exit_code", 1))
        finally:
            if wandb.run is not None:
                wandb.finish(exit_code=failed)

    return run
