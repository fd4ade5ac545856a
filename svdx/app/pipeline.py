"""From a resolved configuration to a trained classifier and inverter: what is there is reused, what is missing is made.

The trained networks of a corpus lie together in cache/networks/<corpus>/, each under a name with its recipe's digits.
Those trained last lie in cache/models/<corpus>/, too, where `svdx.load` finds them.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
import wandb
from hydra.utils import get_class
from omegaconf import DictConfig
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import nn

from svdx.app.loggers import make_loggers
from svdx.app.provenance import write_summary
from svdx.app.recipes import recipe
from svdx.app.rehearsal import check_devices, rehearse, world_size
from svdx.app.settings import build, build_explainer, check, parts_needed
from svdx.app.trained_networks import Slot
from svdx.callbacks import EpochLines, ExplainValidation, LearningRate, SaveWhenTerminated, StepSeed, StopWhenNotFinite
from svdx.callbacks.panels import spread
from svdx.corpora.corpus import Corpus
from svdx.corpora.track import Track, tracks_checksum
from svdx.data.cache import statistics
from svdx.errors import CACHE, ConfigError, expect_writable
from svdx.explain.explainer import Explainer
from svdx.explain.methods.controls import make_controls
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
from svdx.training.checkpoints import LAST, Checkpoints, newest_sound

EXAMPLES = 256  # training excerpts that an explainer may see

log = logging.getLogger(__name__)


class Pipeline:
    """What the entry points share. Each part is made when it is first asked for.

    cfg: composed from conf/
    """

    def __init__(self, cfg: DictConfig) -> None:
        self.cfg, self.directory = cfg, Path(cfg.paths.run)
        self.used: dict[str, str | int] = {}  # where the networks came from, for the summary
        check_devices(cfg.trainer)
        check(cfg)
        if cfg.threads:
            torch.set_num_threads(cfg.threads)
        self.frontend = build(cfg.frontend)
        self.store = build(cfg.store, frontend=self.frontend)
        rehearse(cfg, self.store)
        self._seed()

    @cached_property
    def corpus(self) -> Corpus:
        return build(self.cfg.data.corpus)

    @cached_property
    def models(self) -> Path:
        """Where the networks of this corpus and front end lie that were trained last."""
        heard = hashlib.sha256(json.dumps(self.frontend.settings, indent=2).encode()).hexdigest()[:6]
        return Path(self.cfg.paths.cache) / "models" / f"{self.corpus.key}-{heard}"

    @cached_property
    def classifier(self) -> SVDNet:
        """The classifier of the configured file, else that of the configured recipe, perhaps trained now; frozen."""
        section = self.cfg.classifier
        path = section.weights
        if path is None:
            missing = f"no classifier for {self.corpus.key}"
            path = self._find("classifier", missing, self.train_classifier)
        network = load_classifier(path, self._standardisation(), section.threshold)
        expected = (self.frontend.excerpt_frames, self.frontend.n_bands)
        if (network.frames, network.bands) != expected:
            heard = f"hears {network.frames} frames of {network.bands} bands, the front end gives {expected}"
            raise ConfigError(f"{path}: {heard}; set frontend.excerpt_frames and n_bands as in its training")
        self.used["classifier"] = f"{path} ({fingerprint(network)})"
        log.info(f"classifier: {self.used['classifier']}")
        return network

    def _standardisation(self) -> str | tuple[torch.Tensor, torch.Tensor] | None:
        """What the config asks for, in the words of `load_classifier`."""
        asked = self.cfg.classifier.standardisation
        if asked == "own":
            return None
        if asked != "target":
            return asked
        return statistics(self.store.logmel(track) for track in self.store.prepare(self.corpus.split("train")))

    @cached_property
    def inverter(self) -> InverterNet:
        """The inverter of the configured file, else that of the configured recipe, perhaps trained now; frozen."""
        path = self.cfg.inverter.weights
        if path is None:
            missing = f"no inverter of {self.cfg.layer} for this classifier"
            path = self._find("inverter", missing, self.train_inverter)
        network = load_inverter(path, self.classifier, self.cfg.layer)
        self.used["inverter"] = f"{path} (width {network.width}, {fingerprint(network)})"
        if "updates" in training_metadata(path):
            self.used["inverter_updates"] = int(training_metadata(path)["updates"])
        log.info(f"inverter: {self.used['inverter']}")
        return network

    def provenance(self) -> dict[str, Any]:
        """For a summary: where the networks came from, and hashes of them and of the splits that were used."""
        splits = {"corpus": self.corpus.checksums()} if "corpus" in vars(self) else {}
        return {**self.used, "hashes": {**self._hashes(), **splits}}

    def sources(self, tracks: Sequence[Track] = ()) -> dict[str, Any]:
        """What a result over these tracks comes from, beside the configuration, as its summary says it: of the networks
        those that have been made by now."""
        if tracks:
            self.used["sound_and_labels"] = tracks_checksum(tracks)
        return {**self.used, "hashes": self._hashes()}

    def _hashes(self) -> dict[str, str]:
        made = vars(self)
        found = {name: fingerprint(made[name], buffers=True) for name in ("classifier", "inverter") if name in made}
        if "examples" in made:
            found["examples"] = hashlib.sha256(self.examples.numpy().tobytes()).hexdigest()[:16]
        return found

    def _slot(self, what: str, directory: Path) -> Slot:
        """Of the network of a section. An inverter's recipe holds which classifier it inverts; of one from elsewhere it
        is the last one in `directory` alone."""
        heard = {"classifier": feature_fingerprint(self.classifier)} if what == "inverter" else {}
        own = what == "classifier" or self.cfg.classifier.weights is None
        name = CLASSIFIER if what == "classifier" else self.cfg.inverter.name
        networks = self.models.parent.with_name("networks") / self.models.name
        return Slot.of(recipe(self.cfg, what, **heard), networks, (self.models if own else directory) / name)

    def _find(self, what: str, missing: str, train: Callable[[Path], Path]) -> Path:
        """The file of the network of a section's recipe, which is trained now if there is none. missing: what to say"""
        directory, together = self.directory / what, world_size(self.cfg.trainer) > 1
        return self._slot(what, directory).find(what, missing, partial(train, directory), together)

    def _seed(self) -> None:
        """Each training begins from the seed, whatever ran before it."""
        pl.seed_everything(self.cfg.seed, workers=True, verbose=False)

    def explainer(self, **options: Any) -> Explainer:
        """The configured explainer over the configured classifier."""
        return self.explainer_of(self.cfg.explainer, **options)

    def explainer_of(self, node: DictConfig, **options: Any) -> Explainer:
        """The explainer of a node like those of conf/explainer; parts that its constructor names are made, after the
        classifier, whose file is refused before a corpus is made."""
        classifier = self.classifier
        parts = {name: getattr(self, name) for name in parts_needed(node)}
        return build_explainer(node, classifier=classifier, **parts, **options)

    def controls(self) -> list[Explainer]:
        """The configured controls, without the explainer itself."""
        names = [name for name in self.cfg.controls if name != get_class(self.cfg.explainer._target_).name]
        return make_controls(names, self.classifier, self.cfg.seed)

    @cached_property
    def examples(self) -> torch.Tensor:
        """Standardised excerpts spread evenly over the training split, [N, frames, bands], for explainers that need to
        know what excerpts are like."""
        data = build(self.cfg.inverter.excerpts, corpus=self.corpus, store=self.store)
        data.setup("fit")
        numbers = spread(len(data.train_set), EXAMPLES)
        log.info(f"examples: {len(numbers)} training excerpts of {self.corpus.key}")
        return self.classifier.standardise(data.train_set[numbers]["logmel"])

    def train_classifier(self, directory: Path) -> Path:
        """Train, export and test a classifier; returns the exported file."""
        section = self.cfg.classifier
        self._seed()
        data = build(section.excerpts, corpus=self.corpus, store=self.store)
        data.setup("test")  # what is wrong with the test split is said before the training
        system = build(section.system)
        trainer = self._fit(system, data, section.fit, directory, [])
        path = self._export(trainer, system.network, self._slot("classifier", directory))
        scores = trainer.test(system, datamodule=data, verbose=False)[0]
        log.info(", ".join(f"{name} {value:.3f}" for name, value in scores.items()))
        results = {**scores, "threshold": round(float(system.network.threshold), 2)}
        self._summarise(trainer, directory, "classifier", path, system.network, results)
        return path

    def train_inverter(self, directory: Path) -> Path:
        """Train and export an inverter of the classifier; returns the exported file."""
        section = self.cfg.inverter
        data = build(section.excerpts, corpus=self.corpus, store=self.store)
        data.setup("fit")  # what is wrong with its excerpts is said before a classifier is trained
        classifier = self.classifier
        self._seed()
        slot = self._slot("inverter", directory)  # before the training, which may move the classifier
        beside = [self._slot("classifier", directory)] if self.cfg.classifier.weights is None else []
        system = build(section.system, classifier=classifier)
        pictures = ExplainValidation(self.frontend, directory / "explanations")
        trainer = self._fit(system, data, section.fit, directory, [pictures])
        path = self._export(trainer, system.network, slot, *beside)
        results = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self._summarise(trainer, directory, "inverter", path, system.network, results)
        return path

    def _export(self, trainer: pl.Trainer, network: SVDNet | InverterNet, slot: Slot, *beside: Slot) -> Path:
        """Write a network, and its front end, once, whatever the number of processes, and let all of them wait for it.

        beside: of networks that are again the last ones of their kind
        """
        if trainer.is_global_zero:
            slot.fill(network, self.frontend, trainer.global_step)
            for other in beside:
                other.publish()
        trainer.strategy.barrier()
        return slot.path

    def _fit(
        self,
        system: pl.LightningModule,
        data: pl.LightningDataModule,
        fit: DictConfig,
        directory: Path,
        callbacks: list,
    ) -> pl.Trainer:
        expect_writable(self.models, CACHE)
        last = directory / "checkpoints" / LAST
        keep_last = ModelCheckpoint(last.parent, last.stem, enable_version_counter=False, save_on_train_epoch_end=True)
        always = [StepSeed(), StopWhenNotFinite(), SaveWhenTerminated(last), LearningRate(), EpochLines()]
        trainer = self.trainer(directory, callbacks=[*callbacks, keep_last, *always], plugins=[Checkpoints()], **fit)
        begun = newest_sound(last.parent) if self.cfg.get("resume") else None
        if begun:
            log.info(f"going on from {begun}")
        trainer.fit(system, datamodule=data, ckpt_path=begun, weights_only=True)
        return trainer

    def trainer(self, directory: Path, **options: Any) -> pl.Trainer:
        """The configured trainer, logging into `directory`."""
        directory.mkdir(parents=True, exist_ok=True)
        return build(self.cfg.trainer, logger=make_loggers(self.cfg, directory), default_root_dir=directory, **options)

    def _summarise(
        self, trainer: pl.Trainer, directory: Path, what: str, weights: Path, network: nn.Module, results: dict
    ) -> None:
        if trainer.is_global_zero:
            known = self.provenance()
            known["hashes"][what] = fingerprint(network, buffers=True)
            results = {"trained": what, "corpus": self.corpus.key, **results, **known, "weights": str(weights)}
            write_summary(directory, self.cfg, results)
            log.info(f"{what}: {weights}, run in {directory}")
        wandb.finish()  # the next training is a run of its own
