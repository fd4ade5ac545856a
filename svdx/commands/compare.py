"""`python evaluate.py experiment=compare`: configure the bench, run it, write and log its results."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger
from torch import nn

from svdx.app.multirun import in_multirun
from svdx.app.overrides import (
    changed_options,
    comparison_overrides,
    describe_options,
    ineffective_overrides,
    method_files,
)
from svdx.app.pipeline import Pipeline
from svdx.app.provenance import write_summary
from svdx.app.run_directory import atomic_results, reuse_or_refuse
from svdx.app.settings import build, build_explainer, parts_needed
from svdx.app.trainer import world_size
from svdx.audio.logmel import FrontEnd
from svdx.callbacks.pictures import log_media, log_results
from svdx.comparison.bench import Bench
from svdx.comparison.results import COLUMNS, Results, rows
from svdx.comparison.sanity import Method
from svdx.comparison.stems import Stems
from svdx.comparison.study import Study
from svdx.errors import ConfigError
from svdx.evaluation.curve import write_table
from svdx.explanation.explainer import Explainer
from svdx.report.comparison_figures import equal_area_figure, excerpts_figure
from svdx.report.comparison_page import warnings, write_pages
from svdx.report.comparison_tables import Section, sections

SHOWN = 0.1  # default of compare.shown, fixed before anything was measured
KEYS = ("methods", "shown", "equal_area", "sanity", "cost")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Comparison:
    """A study with its results, tables and warnings."""

    study: Study
    results: Results
    tables: list[Section]
    warnings: list[str]


def compare(cfg: DictConfig) -> None:
    """Run the bench with the configured methods, write its results and log them."""
    directory = Path(cfg.paths.run)
    check_comparison(cfg)
    pipeline = Pipeline(cfg)
    reuse_or_refuse(cfg, directory)  # refuses another result before anything is trained
    data = build(cfg.excerpts, corpus=pipeline.corpus, store=pipeline.store)
    data.setup("test")  # refuses unusable excerpts before anything is trained
    tracks = list(data.test_set.tracks)
    if cfg.compare.sanity.retrain:
        tracks += [track for split in ("train", "valid") for track in pipeline.corpus.split(split)]
    reuse_or_refuse(cfg, directory, pipeline.sources(tracks))  # refuses one of other audio before anything is trained
    methods, trained = make_methods(pipeline)
    if reuse_or_refuse(cfg, directory, pipeline.sources(tracks)):
        log.info(f"{directory}: up to date, nothing to do (same configuration, networks, audio and labels)")
        return
    trainer = pipeline.make_trainer()
    device = trainer.strategy.root_device
    for method in methods.values():
        method.explainer.to(device)
    parts = {name: build(cfg.compare[name]) for name in ("equal_area", "sanity", "cost")}
    bench = Bench(methods, **parts, stems=Stems(data.test_set, pipeline.frontend), device=device)
    train = partial(train_inverter, pipeline) if bench.sanity.retrain else None
    comparison = conclude(cfg, bench(data.test_set, cfg.excerpts.batch_size, train), trained)
    provenance = pipeline.provenance()
    with atomic_results(directory) as place:
        write(cfg, comparison, pipeline.frontend, provenance, place)
    log_comparison(cfg, comparison, directory, trainer.loggers)
    log.info(f"open {directory / 'compare.html'}")


def check_comparison(cfg: DictConfig) -> None:
    """Raises ConfigError for several devices, several jobs, no method, an unknown key, an area that is not measured, or
    a missing package."""
    if in_multirun():
        raise ConfigError("experiment=compare: one at a time, without -m; a run is long and compares all methods")
    for key in set(cfg.compare) - set(KEYS):
        raise ConfigError(f"compare.{key}: no such key; expected {', '.join(KEYS)}, as compare.equal_area.areas=[0.1]")
    if not cfg.compare.methods:
        raise ConfigError("compare.methods: none is left to compare")
    if world_size(cfg.trainer) > 1:
        raise ConfigError("experiment=compare runs on one device: give trainer.gpus=0 or 1")
    for word in ineffective_overrides():
        raise ConfigError(f"{word}: has no effect with experiment=compare; compare.methods.NAME.… changes a method")
    areas = list(cfg.compare.equal_area.areas)
    if cfg.compare.shown not in areas:
        raise ConfigError(f"compare.shown={cfg.compare.shown}: expected one of compare.equal_area.areas={areas}")
    if find_spec("scipy") is None:
        raise ConfigError("experiment=compare needs scipy: pip install 'svdx[compare]'")


def make_methods(pipeline: Pipeline) -> tuple[dict[str, Method], dict[str, str]]:
    """The configured methods, and the seconds of training, as text, of those that need an inverter."""
    nodes = pipeline.cfg.compare.methods
    classifier = pipeline.prepare_classifier()
    log.info(f"{len(nodes)} methods over classifier {type(classifier).__name__}")
    inverting = [name for name, node in nodes.items() if "inverter" in parts_needed(node)]
    seconds, begin = "in an earlier run", time.time()
    if inverting:
        pipeline.prepare_inverter()
        written = pipeline.directory / "inverter" / "summary.json"
        if written.is_file() and written.stat().st_mtime >= begin:
            seconds = f"{time.time() - begin:.0f}"
    methods = {}
    for name, node in nodes.items():
        explainer, parts = pipeline.prepare_explainer(node), pipeline.prepare_parts(node)
        methods[name] = Method(explainer, partial(remake, node, parts), name in inverting)
    return methods, dict.fromkeys(inverting, seconds)


def remake(node: DictConfig, parts: dict[str, Any], classifier: nn.Module, inverter: nn.Module | None) -> Explainer:
    """The explainer of a node over another classifier, with another inverter unless it is None."""
    other = {"inverter": inverter} if inverter is not None else {}
    return build_explainer(node, classifier=classifier, **{**parts, **other})


def train_inverter(pipeline: Pipeline, classifier: nn.Module) -> nn.Module:
    """Train an inverter of a classifier as configured, but for compare.sanity.epochs; it is not saved."""
    section = pipeline.cfg.inverter
    data = build(section.excerpts, corpus=pipeline.corpus, store=pipeline.store)
    device = next(classifier.parameters()).device
    pl.seed_everything(pipeline.cfg.seed, workers=True, verbose=False)
    system = build(section.system, classifier=classifier)
    epochs = dict(max_epochs=pipeline.cfg.compare.sanity.epochs, limit_val_batches=0)
    silent = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False)
    build(pipeline.cfg.trainer, **{**section.fit, **epochs, **silent}).fit(system, datamodule=data)
    classifier.to(device)
    return system.network.to(device).eval().requires_grad_(False)


def conclude(cfg: DictConfig, study: Study, trained: dict[str, str]) -> Comparison:
    """trained: seconds of training as text, by method"""
    results = Results(rows(study))
    tables = sections(study, results, cfg.compare.shown, trained)
    tables[-1].under.append(describe_options(changed_options(cfg.compare.methods, method_files())))
    changed = comparison_overrides()
    if cfg.compare.shown != SHOWN:
        changed = [f"compare.shown={cfg.compare.shown:g}", *changed]
    return Comparison(study, results, tables, warnings(study, cfg.excerpts.split, changed))


def write(
    cfg: DictConfig, comparison: Comparison, frontend: FrontEnd, provenance: dict[str, Any], directory: Path
) -> None:
    """Write records, rows, pages, figures and the summary."""
    study, results, shown = comparison.study, comparison.results, cfg.compare.shown
    study.save(directory / "compare.npz")
    write_table(results.rows, directory / "compare.csv", COLUMNS)
    origin = f"{cfg.excerpts.split} split, sampling={cfg.excerpts.sampling}"
    write_pages(directory, cfg.data.name, origin, study, comparison.tables, comparison.warnings, shown)
    equal_area_figure(results, study).savefig(directory / "compare.png", dpi=130)
    excerpts_figure(study, frontend, shown).savefig(directory / "compare_excerpts.png", dpi=110)
    numbers = {**study.counts, **results.summary(study.fills[0], shown)}
    write_summary(directory, cfg, {**numbers, "warnings": comparison.warnings, **provenance})


def log_comparison(cfg: DictConfig, comparison: Comparison, directory: Path, loggers: Sequence[Logger]) -> None:
    """Log tables and warnings, and to W&B rows, figures and headline figures."""
    results = comparison.results
    pictures = {directory / "compare.png": "equal area", directory / "compare_excerpts.png": "the same excerpts"}
    log_media(loggers, {"compare/figures": pictures}, tables={"compare/rows": results.rows})
    log_results(loggers, results.summary(comparison.study.fills[0], cfg.compare.shown))
    for section in comparison.tables:
        log.info(f"{section.title}: {', '.join(section.heads)}")
        for name, cells in section.lines.items():
            log.info(f"  {name}: {', '.join(cell.text + cell.marks for cell in cells)}")
    for warning in comparison.warnings:
        log.warning(warning)
