"""What the commands share: a checked configuration, the front end, the corpus, and networks that are loaded from a
file, found in the cache, or trained.

The trained networks of a corpus lie in cache/networks/<corpus>/, one file per recipe. Those trained last also lie in
cache/models/<corpus>/, where `svdx.load` looks for them.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from hydra.utils import get_class
from omegaconf import DictConfig

from svdx.app.loggers import make_loggers
from svdx.app.recipes import recipe
from svdx.app.settings import build, build_explainer, parts_needed
from svdx.app.train import make_callbacks, train_classifier, train_inverter
from svdx.app.trained_networks import CachedNetwork
from svdx.app.trainer import world_size
from svdx.app.validation import validate_config
from svdx.corpora.corpus import Corpus
from svdx.corpora.track import Track, tracks_checksum
from svdx.data.cache import statistics
from svdx.data.datamodule import ExcerptsData
from svdx.data.excerpts import spread
from svdx.errors import ConfigError
from svdx.explanation.explainer import Explainer
from svdx.explanation.methods.controls import make_controls
from svdx.models.inverter import InverterNet
from svdx.models.svdnet import SVDNet
from svdx.models.weights import (
    CLASSIFIER,
    feature_fingerprint,
    fingerprint,
    load_classifier,
    load_inverter,
    training_metadata,
)

EXAMPLES = 256  # training excerpts that an explainer may see

log = logging.getLogger(__name__)


class Pipeline:
    """The parts of a run. Networks and examples are made by the `prepare_…` methods, each once.

    cfg: composed from conf/; it is checked before anything is made
    """

    def __init__(self, cfg: DictConfig) -> None:
        self.cfg, self.directory = cfg, Path(cfg.paths.run)
        self._classifier: SVDNet | None = None
        self._inverter: InverterNet | None = None
        self._examples: torch.Tensor | None = None
        self._used: dict[str, str | int] = {}  # where the networks came from, for the summary
        validate_config(cfg)
        if cfg.threads:
            torch.set_num_threads(cfg.threads)
        self.frontend = build(cfg.frontend)
        self.store = build(cfg.store, frontend=self.frontend)
        for section in ("classifier", "inverter"):
            make_callbacks(cfg, section)  # refuses options of callbacks before anything is made
        self.seed()

    def seed(self) -> None:
        """Seed all generators. Every training begins with it, whatever ran before."""
        pl.seed_everything(self.cfg.seed, workers=True, verbose=False)

    @cached_property
    def corpus(self) -> Corpus:
        return build(self.cfg.data.corpus)

    @cached_property
    def models(self) -> Path:
        """The directory of the networks that were trained last on this corpus and front end."""
        settings = json.dumps(self.frontend.settings, indent=2)
        digits = hashlib.sha256(settings.encode()).hexdigest()[:6]
        return Path(self.cfg.paths.cache) / "models" / f"{self.corpus.key}-{digits}"

    def make_data(self, excerpts: DictConfig, **options: Any) -> ExcerptsData:
        """The data module of a node of excerpts."""
        return build(excerpts, corpus=self.corpus, store=self.store, **options)

    def make_trainer(self) -> pl.Trainer:
        """The configured trainer with the configured loggers, for a test: both write into the run's directory."""
        loggers = make_loggers(self.cfg, self.directory)
        return build(self.cfg.trainer, logger=loggers, default_root_dir=self.directory)

    def prepare_classifier(self) -> SVDNet:
        """The frozen classifier: from the file `classifier.weights`, from the cache, or trained now.

        Raises: ConfigError, WeightsError.
        """
        if self._classifier is None:
            section = self.cfg.classifier
            path = section.weights or self._find_or_train(
                "classifier", f"no classifier found for {self.corpus.key}", train_classifier
            )
            network = load_classifier(path, self._standardisation(), section.threshold)
            expected = (self.frontend.excerpt_frames, self.frontend.n_bands)
            if (network.frames, network.bands) != expected:
                heard = f"hears {network.frames} frames of {network.bands} bands, the front end gives {expected}"
                raise ConfigError(f"{path}: {heard}; set frontend.excerpt_frames and n_bands as in its training")
            self._used["classifier"] = f"{path} ({fingerprint(network)})"
            log.info(f"classifier: {self._used['classifier']}")
            self._classifier = network
        return self._classifier

    def prepare_inverter(self) -> InverterNet:
        """The frozen inverter of the classifier: from the file `inverter.weights`, from the cache, or trained now.

        Raises: ConfigError, WeightsError.
        """
        if self._inverter is None:
            missing = f"no inverter of {self.cfg.layer} found for this classifier"
            path = self.cfg.inverter.weights or self._find_or_train("inverter", missing, train_inverter)
            network = load_inverter(path, self.prepare_classifier(), self.cfg.layer)
            self._used["inverter"] = f"{path} (width {network.width}, {fingerprint(network)})"
            if "updates" in (metadata := training_metadata(path)):
                self._used["inverter_updates"] = int(metadata["updates"])
            log.info(f"inverter: {self._used['inverter']}")
            self._inverter = network
        return self._inverter

    def prepare_examples(self) -> torch.Tensor:
        """Standardised excerpts spread evenly over the training split, [N, frames, bands], for explainers that need to
        know what excerpts are like."""
        if self._examples is None:
            data = self.make_data(self.cfg.inverter.excerpts)
            data.setup("fit")
            numbers = spread(len(data.train_set), EXAMPLES)
            log.info(f"examples: {len(numbers)} training excerpts of {self.corpus.key}")
            self._examples = self.prepare_classifier().standardise(data.train_set[numbers]["logmel"])
        return self._examples

    def prepare_parts(self, node: DictConfig) -> dict[str, Any]:
        """What the constructor of an explainer's node takes besides the classifier, by name."""
        prepare = {"inverter": self.prepare_inverter, "examples": self.prepare_examples}
        return {name: prepare[name]() for name in parts_needed(node)}

    def prepare_explainer(self, node: DictConfig | None = None, **options: Any) -> Explainer:
        """The explainer of a node like those of conf/explainer, by default the configured one, over the classifier."""
        node = self.cfg.explainer if node is None else node
        classifier = self.prepare_classifier()  # refuses its file before a corpus is made
        return build_explainer(node, classifier=classifier, **self.prepare_parts(node), **options)

    def make_controls(self) -> Sequence[Explainer]:
        """The configured controls, without the explainer itself."""
        names = [name for name in self.cfg.controls if name != cast(Any, get_class(self.cfg.explainer._target_)).name]
        return make_controls(names, self.prepare_classifier(), self.cfg.seed)

    def provenance(self) -> dict[str, Any]:
        """For a summary: paths and hashes of the networks prepared so far, and checksums of the splits used so far."""
        splits = {"corpus": self.corpus.checksums()} if "corpus" in vars(self) else {}
        return {**self._used, "hashes": {**self._hashes(), **splits}}

    def sources(self, tracks: Sequence[Track] = ()) -> dict[str, Any]:
        """What a result over these tracks depends on besides the configuration, as its summary has it. Networks count
        once they are prepared."""
        if tracks:
            self._used["sound_and_labels"] = tracks_checksum(tracks)
        return {**self._used, "hashes": self._hashes()}

    def cached_network(self, section: str, directory: Path) -> CachedNetwork:
        """The cached network of a section, classifier or inverter. An inverter's recipe includes its classifier.

        directory: of its training, in which an inverter of a classifier from elsewhere also lies under its plain name
        """
        if section == "classifier":
            dependencies, latest = {}, self.models / CLASSIFIER
        else:
            dependencies = {"classifier": feature_fingerprint(self.prepare_classifier())}
            latest = (self.models if self.cfg.classifier.weights is None else directory) / self.cfg.inverter.name
        networks = self.models.parent.with_name("networks") / self.models.name
        return CachedNetwork(recipe(self.cfg, section, **dependencies), networks, latest)

    def _find_or_train(self, section: str, missing: str, train: Callable[[Pipeline, Path], Path]) -> Path:
        """The file of a section's network. missing: what to log before a training"""
        directory, alone = self.directory / section, world_size(self.cfg.trainer) == 1
        return self.cached_network(section, directory).find_or_train(
            section, missing, partial(train, self, directory), wait=alone
        )

    def _standardisation(self) -> str | tuple[torch.Tensor, torch.Tensor] | None:
        """The configured standardisation, as `load_classifier` takes it."""
        choice = self.cfg.classifier.standardisation
        if choice == "own":
            return None
        if choice != "target":
            return choice
        return statistics(self.store.logmel(track) for track in self.store.prepare(self.corpus.split("train")))

    def _hashes(self) -> dict[str, str]:
        networks = {"classifier": self._classifier, "inverter": self._inverter}
        hashes = {name: fingerprint(made, buffers=True) for name, made in networks.items() if made is not None}
        if self._examples is not None:
            hashes["examples"] = hashlib.sha256(self._examples.numpy().tobytes()).hexdigest()[:16]
        return hashes
