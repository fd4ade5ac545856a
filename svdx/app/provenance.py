"""Results are files that say where they come from."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from svdx.errors import ConfigError
from svdx.files.atomic import atomic_write

CONFIG, SUMMARY = "config.yaml", "summary.json"  # the latter is written last
PACKAGES = ("svdx", "torch", "torchaudio", "pytorch-lightning", "numpy", "soundfile", "av")
OPTIONAL = ("captum", "scikit-learn", "scipy", "ray")  # said where they are installed


def write_summary(directory: str | Path, cfg: DictConfig, results: dict[str, Any]) -> None:
    """Write summary.json (results, seed, versions, commit, command) and config.yaml (resolved) into a run's directory.

    A result that is not a finite number is null: JSON has no NaN.
    """
    directory = Path(directory)
    summary = {
        **{
            name: None if isinstance(value, float) and not isfinite(value) else value for name, value in results.items()
        },
        "command": sys.argv,
        "seed": cfg.get("seed"),
        "commit": commit(),
        "python": platform.python_version(),
        "versions": versions(),
    }
    write_config(directory, cfg)
    with atomic_write(directory / SUMMARY) as unfinished:
        unfinished.write_text(json.dumps(summary, indent=2, allow_nan=False) + "\n")


def versions() -> dict[str, str]:
    """Of what computes, where it is installed."""
    found = {package: version(package) for package in PACKAGES}
    for package in OPTIONAL:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def write_config(directory: Path, cfg: DictConfig) -> None:
    """Write config.yaml, resolved, which says that a run was begun in this directory."""
    directory.mkdir(parents=True, exist_ok=True)
    with atomic_write(directory / CONFIG) as unfinished:
        OmegaConf.save(cfg, unfinished, resolve=True)


def expect_run(directory: Path) -> None:
    """Raises ConfigError where no run was begun that could be gone on with."""
    if not (directory / CONFIG).is_file():
        raise ConfigError(f"resume=true: no run was begun in {directory}; give that run's hydra.run.dir")


def commit() -> str | None:
    """The commit of the checkout that svdx runs from, with "+" if files are changed; None outside a checkout, as where
    svdx is installed in an environment that lies inside some other checkout."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        subprocess.run([*git, "ls-files", "--error-unmatch", Path(__file__).name], capture_output=True, check=True)
        revision = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD"], capture_output=True).returncode
    except (OSError, subprocess.CalledProcessError):
        return None
    return revision + "+" * bool(changed)
