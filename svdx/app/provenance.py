"""The provenance of a result: configuration, command, commit and versions, in files beside it."""

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

CONFIG, SUMMARY = "config.yaml", "summary.json"  # the summary is written last
PACKAGES = ("svdx", "torch", "torchaudio", "pytorch-lightning", "numpy", "soundfile", "av")
OPTIONAL = ("captum", "scikit-learn", "scipy", "ray")  # listed if they are installed


def write_summary(directory: str | Path, cfg: DictConfig, results: dict[str, Any]) -> None:
    """Write summary.json (results, seed, versions, commit, command) and config.yaml (resolved) into a run's directory.

    Results that are not finite become null, because JSON has no NaN.
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
    """Versions of the packages on which results depend."""
    installed = {package: version(package) for package in PACKAGES}
    for package in OPTIONAL:
        with suppress(PackageNotFoundError):
            installed[package] = version(package)
    return installed


def write_config(directory: Path, cfg: DictConfig) -> None:
    """Write config.yaml, resolved. It marks the directory as that of a run."""
    directory.mkdir(parents=True, exist_ok=True)
    with atomic_write(directory / CONFIG) as unfinished:
        OmegaConf.save(cfg, unfinished, resolve=True)


def expect_run(directory: Path) -> None:
    """Raises ConfigError if no run was begun in a directory, so that none can be resumed."""
    if not (directory / CONFIG).is_file():
        raise ConfigError(f"resume=true: no run was begun in {directory}; give that run's hydra.run.dir")


def commit() -> str | None:
    """The commit of the checkout from which svdx runs, with "+" if files are changed. None outside a checkout, also if
    svdx is installed in an environment within the checkout of another project."""
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
