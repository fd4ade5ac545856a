"""`python evaluate.py experiment=compare`: from a configuration to the bench, and from its records to files."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from omegaconf import DictConfig
from pytorch_lightning.loggers import Logger
from torch import nn

from svdx.app.multirun import in_multirun
from svdx.app.overrides import changed_options, chosen_files, ignored, options_line, typed
from svdx.app.pipeline import Pipeline
from svdx.app.provenance import write_summary
from svdx.app.rehearsal import world_size
from svdx.app.run_directory import atomic_results, reuse_or_refuse
from svdx.app.settings import build, build_explainer, parts_needed
from svdx.callbacks.panels import images, table, wandb_only
from svdx.comparison.bench import Bench
from svdx.comparison.measures import REFERENCE, is_stratified, thirds
from svdx.comparison.power import without_stars
from svdx.comparison.records import Study
from svdx.comparison.regions import expect_scipy
from svdx.comparison.results import COLUMNS, Found, rows
from svdx.comparison.sanity import Method
from svdx.comparison.stems import Stems
from svdx.comparison.table import Section, sections
from svdx.errors import ConfigError
from svdx.evaluation.curve import write_table
from svdx.evaluation.metrics import FEWEST
from svdx.report.comparison_figures import equal_area_figure, excerpts_figure
from svdx.report.page import render

SHOWN = 0.1  # compare.shown as it comes, chosen before anything was measured
ALWAYS = (
    "Masked excerpts are unlike anything the classifier was trained on: part of every loss is that, not the method. "
    "Look at several fills; an order that turns round with the fill (‡) is no result.",
    "E_loss rewards masks that are made on the classifier itself: a few per cent of its inputs, speckled where its "
    "gradient is, keep any label and tell a listener nothing. Never rank by E_loss alone: read it beside deletion, the "
    "voice, the regions and the sanity checks.",
)
KEYS = ("methods", "shown", "equal_area", "sanity", "cost")
FEW_TRACKS = 20

log = logging.getLogger(__name__)


def compare(cfg: DictConfig) -> None:
    """Run the bench with the configured methods and write what it found."""
    directory, asked = Path(cfg.paths.run), cfg.compare
    expect_sense(cfg)
    expect_scipy()
    pipeline = Pipeline(cfg)
    reuse_or_refuse(cfg, directory)  # another result is refused before anything is made
    data = build(cfg.excerpts, corpus=pipeline.corpus, store=pipeline.store)
    data.setup("test")  # what is wrong with the excerpts is said before anything is trained
    tracks = list(data.test_set.tracks)
    if asked.sanity.retrain:
        tracks += [track for split in ("train", "valid") for track in pipeline.corpus.split(split)]
    reuse_or_refuse(cfg, directory, pipeline.sources(tracks))  # and one of other music before anything is trained
    methods, trained = methods_of(pipeline)
    if reuse_or_refuse(cfg, directory, pipeline.sources(tracks)):
        log.info(f"{directory}: the comparison is there, with the same configuration, networks, sound and labels")
        return
    trainer = pipeline.trainer(directory)
    device = trainer.strategy.root_device
    for method in methods.values():
        method.explainer.to(device)
    parts = (build(asked[name]) for name in ("equal_area", "sanity", "cost"))
    bench = Bench(methods, *parts, Stems(data.test_set, pipeline.frontend), device)
    train = partial(train_inverter, pipeline) if bench.sanity.retrain else None
    study = bench(data.test_set, cfg.excerpts.batch_size, train)
    conclusions, provenance = conclude(cfg, study, trained), pipeline.provenance()
    with atomic_results(directory) as place:
        study.save(place / "compare.npz")
        write(pipeline, study, conclusions, provenance, place)
    tell(conclusions, directory, trainer.loggers)
    log.info(f"open {directory / 'compare.html'}")


@dataclass(frozen=True)
class Conclusions:
    """What a study comes to: rows of compare.csv, a few numbers for the summary, the page's tables, warnings."""

    rows: list[dict]
    found: Found
    numbers: dict[str, float]
    tables: list[Section]
    warnings: list[str]


def conclude(cfg: DictConfig, study: Study, trained: dict[str, str]) -> Conclusions:
    """trained: seconds of training as text, by method"""
    counted = rows(study)
    found = Found(counted)
    tables = sections(found, study.fills, cfg.compare.shown, list(cfg.compare.sanity.layers), trained)
    tables[-1].under.append(options_line(changed_options(cfg.compare.methods, chosen_files())))
    return Conclusions(counted, found, headlines(found, cfg), tables, warnings(cfg, study))


def write(
    pipeline: Pipeline, study: Study, conclusions: Conclusions, provenance: dict[str, Any], directory: Path
) -> None:
    """Rows, tables, figures and the summary into a directory."""
    cfg, said = pipeline.cfg, conclusions.warnings
    write_table(conclusions.rows, directory / "compare.csv", COLUMNS)
    write_page(cfg, study, conclusions.tables, said, directory)
    equal_area_figure(conclusions.found, study).savefig(directory / "compare.png", dpi=130)
    excerpts_figure(study, pipeline.frontend, cfg.compare.shown).savefig(directory / "compare_excerpts.png", dpi=110)
    write_summary(directory, cfg, {**counts(study), **conclusions.numbers, "warnings": said, **provenance})


def tell(conclusions: Conclusions, directory: Path, loggers: Sequence[Logger]) -> None:
    """Log and W&B say what stands in the directory."""
    for logger in wandb_only(loggers):
        pictures = {directory / "compare.png": "equal area", directory / "compare_excerpts.png": "the same excerpts"}
        logger.log_metrics({"compare/rows": table(conclusions.rows), "compare/figures": images(pictures)})
        logger.experiment.summary.update(conclusions.numbers)
    for section in conclusions.tables:
        log.info(f"{section.title}: {', '.join(section.heads)}")
        for name, cells in section.lines.items():
            log.info(f"  {name}: {', '.join(cell.text + cell.marks for cell in cells)}")
    for warning in conclusions.warnings:
        log.warning(warning)


def write_page(cfg: DictConfig, study: Study, tables: list[Section], said: list[str], directory: Path) -> None:
    """compare.md and compare.html."""
    n = counts(study)
    summary = (
        f"{n['n_excerpts']} excerpts of {n['n_tracks']} tracks ({cfg.excerpts.split} split, sampling="
        f"{cfg.excerpts.sampling}), {n['n_vocal']} called singing, {n['n_nonvocal']} not; the voice decides in "
        f"{n['n_localised']}. Fills: {', '.join(study.fills)}. Sanity on {cfg.compare.sanity.n} excerpts."
    )
    if is_stratified(study):
        low, high = thirds(study)
        summary += f" Voice to rest: soft below {low:.1f} dB, loud from {high:.1f} dB on (thirds)."
    values = dict(title=f"Explainers side by side: {cfg.data.name}", summary=summary, sections=tables, warnings=said)
    values |= dict(n_shown=len(study.shown), best=f"{100 * cfg.compare.shown:g}")
    for name in ("md", "html"):
        page = render(f"comparison.{name}", reference=REFERENCE, **values)
        (directory / f"compare.{name}").write_text(page, encoding="utf-8")


def counts(study: Study) -> dict[str, int]:
    """How many excerpts, of what kind."""
    vocal = int(study.vocal.sum())
    n = {"n_excerpts": len(study.vocal), "n_tracks": len(set(study.track.tolist()))}
    return {**n, "n_vocal": vocal, "n_nonvocal": n["n_excerpts"] - vocal, "n_localised": int(study.localised.sum())}


def headlines(found: Found, cfg: DictConfig) -> dict[str, float]:
    """A few numbers of each method, by METHOD/NAME."""
    fill, area = cfg.compare.equal_area.fills[0], cfg.compare.shown
    return {
        f"{name}/{metric}": found.value(name, metric, *where)
        for name in found.methods
        for metric, *where in (
            ("explanation_loss_percent", fill, area, found.headline),
            ("deletion_percent", fill, area, found.headline),
            ("loss_auc_log", fill, None, found.headline),
            ("voice_share", "", area),
            ("forwards",),
        )
    }


def warnings(cfg: DictConfig, study: Study) -> list[str]:
    """What has to be known before the tables are read."""
    said, splits = list(ALWAYS), cfg.excerpts.split.split("+")
    changed = [f"compare.shown={cfg.compare.shown:g}"] * (cfg.compare.shown != SHOWN) + typed()
    if changed and "test" in splits:
        said.append(
            f"Not as it was fixed beforehand: {', '.join(changed)}. If this was chosen after results of the test split "
            "were seen, the comparison is optimistic. Choose on split valid."
        )
    if "train" in splits:
        said.append("excerpts.split has training tracks: classifier and inverter know them.")
    if counts(study)["n_tracks"] < FEW_TRACKS:
        said.append(
            f"{counts(study)['n_tracks']} tracks: of so few, intervals are narrower than they should be; none stands "
            f"over fewer than {FEWEST}."
        )
    if 0 < study.localised.sum() < FEW_TRACKS:
        said.append(f"Excerpts whose label the voice decides: {study.localised.sum()}. What these few say is little.")
    return said + without_stars(study)


def expect_sense(cfg: DictConfig) -> None:
    """Raises ConfigError for several devices, several jobs, no method, an unknown key, or an area that is not
    measured."""
    if in_multirun():
        raise ConfigError("experiment=compare: one at a time, without -m; a run is long and compares all methods")
    for key in set(cfg.compare) - set(KEYS):
        raise ConfigError(f"compare.{key}: no such key; expected {', '.join(KEYS)}, as compare.equal_area.areas=[0.1]")
    if not cfg.compare.methods:
        raise ConfigError("compare.methods: none is left to compare")
    if world_size(cfg.trainer) > 1:
        raise ConfigError("experiment=compare runs on one device: give trainer.gpus=0 or 1")
    for word in ignored():
        raise ConfigError(f"{word}: has no part in experiment=compare; compare.methods.NAME.… changes a method")
    areas = list(cfg.compare.equal_area.areas)
    if cfg.compare.shown not in areas:
        raise ConfigError(f"compare.shown={cfg.compare.shown}: expected one of compare.equal_area.areas={areas}")


def methods_of(pipeline: Pipeline) -> tuple[dict[str, Method], dict[str, str]]:
    """The configured methods, and seconds of training as text for those that needed an inverter trained now."""
    found, trained = {}, {}
    log.info(f"{len(pipeline.cfg.compare.methods)} methods over classifier {pipeline.classifier.__class__.__name__}")
    for name, node in pipeline.cfg.compare.methods.items():
        needed = parts_needed(node)
        if "inverter" in needed:
            begin = time.time()
            pipeline.inverter  # noqa: B018
            written = pipeline.directory / "inverter" / "summary.json"
            if written.is_file() and written.stat().st_mtime >= begin:
                trained["inverter"] = f"{time.time() - begin:.0f}"
            trained[name] = trained.get("inverter", "in an earlier run")
        explainer = pipeline.explainer_of(node)
        parts = {part: getattr(pipeline, part) for part in needed}
        found[name] = Method(explainer, partial(remade, node, parts), "inverter" in needed)
    return found, trained


def remade(node: DictConfig, parts: dict, classifier: nn.Module, inverter: nn.Module | None) -> object:
    """The explainer of a node over another classifier, and with another inverter where one is given."""
    other = {"inverter": inverter} if inverter is not None else {}
    return build_explainer(node, classifier=classifier, **{**parts, **other})


def train_inverter(pipeline: Pipeline, classifier: nn.Module) -> nn.Module:
    """An inverter of a classifier, as configured but for compare.sanity.epochs; it is not written anywhere."""
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
