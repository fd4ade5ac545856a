"""The Python API: load trained networks, explain audio files, show and save the explanations."""

from __future__ import annotations

import json
import os
import tempfile
import webbrowser
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException
from torch import nn

from svdx.app.points import page_points
from svdx.app.settings import build_explainer, parts_needed
from svdx.app.validation import validate_config
from svdx.audio.logmel import FrontEnd
from svdx.batch.request import Request
from svdx.corpora.loose_files import track_at
from svdx.errors import ConfigError, WeightsError
from svdx.explanation.audio_explainer import AudioExplainer
from svdx.explanation.recording import read_recording
from svdx.explanation.results import ExcerptResult, TrackResult
from svdx.models.weights import CLASSIFIER, FRONTEND, INVERTER, load_classifier, load_inverter
from svdx.report.facts import facts_of
from svdx.report.figures import result_figure
from svdx.report.files import write_result
from svdx.report.page import notebook_html

CONF = Path(__file__).parents[2] / "conf"
TRAIN = "train them with `python train.py`, or give the directory of trained ones"


def load(directory: str | Path | None = None, inverter: str = INVERTER, device: str | torch.device = "cpu") -> Networks:
    """Load the networks that train.py left in the cache.

    directory: cache/models/…; None: the networks that were trained last, in $SVDX_CACHE or ./cache
    inverter: file name in that directory; inverters of other layers than FC8 are called inverter-mp6.safetensors etc.
    device: of the networks, such as "cuda"

    Raises: WeightsError if there are none, with what to do.

    >>> networks = svdx.load()  # doctest: +SKIP
    >>> networks.explain("song.mp3", start=10).area  # doctest: +SKIP
    """
    directory = last_trained() if directory is None else Path(directory)
    try:
        frontend = FrontEnd(**json.loads((directory / FRONTEND).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{directory}: not a directory of trained networks ({error}); {TRAIN}") from error
    classifier = load_classifier(directory / CLASSIFIER)
    return Networks(frontend, classifier, load_inverter(directory / inverter, classifier), device)


def last_trained() -> Path:
    """The directory of the networks that were trained last. Raises: WeightsError if there are none."""
    models = Path(os.environ.get("SVDX_CACHE", "cache")) / "models"
    trained = [path.parent for path in models.glob(f"*/{INVERTER}") if path.with_name(CLASSIFIER).is_file()]
    if not trained:
        raise WeightsError(f"{models}: no trained networks; {TRAIN}")
    return max(trained, key=lambda path: (path / INVERTER).stat().st_mtime)


def explain(
    audio: str | Path, start: float | str = 0.0, *, networks: Networks | None = None, **options: Any
) -> Explanation:
    """Explain an excerpt of an audio file, or all of it, as `python explain.py` does.

    networks: from `load`; None: `load()`. The other arguments are those of `Networks.explain`.

    >>> svdx.explain("song.mp3", start=10, explainer="gated_inversion", threshold=0.3)  # doctest: +SKIP
    >>> svdx.explain("song.mp3", start="all").save("explained")  # doctest: +SKIP
    """
    return (load() if networks is None else networks).explain(audio, start, **options)


@dataclass(frozen=True)
class Networks:
    """Trained networks with their front end. device: where the networks compute"""

    frontend: FrontEnd
    classifier: nn.Module
    inverter: nn.Module
    device: str | torch.device = "cpu"

    def explain(
        self,
        audio: str | Path,
        start: float | str = 0.0,
        explainer: str = "inversion",
        *,
        threshold: float | str | None = None,
        hop: float | None = None,
        thresholds: list[float] | None = None,
        areas: list[float] | None = None,
        **options: Any,
    ) -> Explanation:
        """Explain an excerpt of an audio file, or all of it.

        start: of the excerpt, in seconds; "all": the whole file, by an excerpt every `hop` seconds
        explainer: the name of a file in conf/explainer
        threshold: of the salience, in [0, 1.1], or the name of a file in conf/threshold; None: the explainer's own
        thresholds, areas: rows of the page's table; None: as in explain.py
        options: of the explainer: area, keep, fill, and those in its file

        Raises: AudioError, ConfigError, CorpusError, ScoreError.
        """
        given = {"start": start, "hop": hop, "thresholds": thresholds, "areas": areas}
        given |= {f"explainer.{name}": value for name, value in options.items()}
        groups = {"explainer": explainer}
        if isinstance(threshold, str):
            groups["threshold"] = threshold
        elif threshold is not None:
            given["explainer.threshold"] = threshold
        cfg = self._configured(groups, given)
        parts = parts_needed(cfg.explainer)
        if "examples" in parts:
            raise ConfigError(f"explainer={explainer} needs a training corpus: use `python explain.py` for it")
        networks = {name: getattr(self, name) for name in parts}
        method = build_explainer(cfg.explainer, classifier=self.classifier, **networks)
        recording, points = read_recording(track_at(Path(audio))), page_points(cfg)
        audio_explainer = AudioExplainer(self.frontend, method).to(self.device)
        return Explanation(Request(audio_explainer, start, hop, points).explain(recording))

    def _configured(self, groups: dict[str, str], given: dict[str, Any]) -> DictConfig:
        """The configuration of explain.py with these choices and values. Raises: ConfigError."""
        if not (isinstance(given["start"], Real) or given["start"] == "all"):
            raise ConfigError(f"start={given['start']!r}: expected seconds or 'all'")
        if given["hop"] is not None and given["start"] != "all":
            raise ConfigError(f"hop={given['hop']}: applies to whole tracks only; give start='all', or leave hop out")
        if not CONF.is_dir():
            raise ConfigError(f"{CONF} is missing: install svdx in place, with `pip install -e .`")
        values = {**{f"frontend.{name}": value for name, value in self.frontend.settings.items()}, **given}
        overrides = [f"{name}={json.dumps(value, default=np.generic.item)}" for name, value in values.items()]
        try:
            with initialize_config_dir(str(CONF), version_base="1.3"):
                names = [f"{group}={name}" for group, name in groups.items()]
                cfg = compose("explain", [*names, *overrides, "paths.run=."])
        except (HydraException, OmegaConfBaseException) as error:
            raise ConfigError(str(error).splitlines()[0]) from error
        validate_config(cfg)
        return cfg


class Explanation:
    """The explanation of an excerpt or of a whole track; notebooks show it with players.

    result: all values, see `svdx.explanation.results`
    facts: the same in words, by name
    mask: True where the log-mel is kept, [frames, bands]; salience: the score scaled to [0, 1], the same shape
    area: share of kept bins
    probability, masked_probability: of singing, for each excerpt and for its explanation, [N]
    flipped: whether masking changed the label, [N] bool
    """

    def __init__(self, result: ExcerptResult | TrackResult) -> None:
        self.result, self.mask, self.salience = result, result.mask, result.salience
        self.area = float(result.mask.mean())
        self.probability, self.masked_probability, self.flipped = (
            getattr(result.explanation, name).numpy() for name in ("probability", "masked_probability", "flipped")
        )

    @cached_property
    def facts(self) -> dict[str, str]:
        return facts_of(self.result)

    def save(self, directory: str | Path) -> Path:
        """Write the files of explain.py: explanation.png, explanation.npz, report.html and WAV files.

        Returns: the directory.
        """
        write_result(self.result, Path(directory))
        return Path(directory)

    def show(self) -> None:
        """Show the explanation below a notebook's cell; elsewhere open its page in a browser."""
        try:
            from IPython import get_ipython
            from IPython.display import display
        except ImportError:
            get_ipython = lambda: None  # noqa: E731
        if get_ipython() is not None:
            display(self)
        else:
            page = self.save(tempfile.mkdtemp(prefix="svdx-")) / "report.html"
            webbrowser.open(page.as_uri())

    def _repr_html_(self) -> str:
        return notebook_html(self.result, self.facts, result_figure(self.result))

    def __repr__(self) -> str:
        facts = self.facts
        if isinstance(self.result, TrackResult):
            what = f"whole track: singing in {facts['heard as singing']} excerpts"
        else:
            what = f"from {self.result.start:g} s: {facts['excerpt']}"
        end = f"label {facts['label']}, {facts['area kept']} kept by {facts['explainer']}"
        return f"<Explanation of {facts['file']}, {what}; {end}>"
