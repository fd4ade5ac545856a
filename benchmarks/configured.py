"""The front end of conf/, for the benchmarks."""

from __future__ import annotations

from pathlib import Path

from hydra.utils import instantiate
from omegaconf import OmegaConf

from svdx.audio.logmel import FrontEnd


def frontend() -> FrontEnd:
    return instantiate(OmegaConf.load(Path(__file__).parent.parent / "conf/frontend/svdnet.yaml"))
