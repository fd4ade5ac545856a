"""Explanation loss against relative area, over thresholds or over areas: curve.csv and curve.png."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from svdx.app.cli import command
from svdx.app.multirun import overrides
from svdx.app.pipeline import Pipeline
from svdx.app.points import curve_points
from svdx.app.provenance import write_summary
from svdx.app.run_directory import atomic_results, reuse_or_refuse, run_lock
from svdx.app.settings import build
from svdx.app.sweep import gather
from svdx.callbacks import explain_examples, log_evaluation, shown_threshold
from svdx.commands.compare import compare
from svdx.commands.detection import detection
from svdx.evaluation.curve import curve_lines, read_curve, write_curve, write_table
from svdx.evaluation.evaluator import Evaluator
from svdx.report.figures import curve_figure

log = logging.getLogger(__name__)


def evaluate(cfg: DictConfig) -> None:
    """Measure the curve."""
    pipeline = Pipeline(cfg)
    directory = pipeline.directory
    reuse_or_refuse(cfg, directory)  # another result is refused before anything is made
    thresholds = curve_points(cfg)
    data = build(cfg.excerpts, corpus=pipeline.corpus, store=pipeline.store)
    data.setup("test")  # what is wrong with the excerpts is said before anything is trained
    tracks = list(data.test_set.tracks)
    if cfg.detection:
        for split in ("valid", "test"):
            tracks += pipeline.corpus.split(split)
            every_frame = dict(split=split, sampling="all", test_hop=1, both_classes=True)
            build(cfg.excerpts, corpus=pipeline.corpus, store=pipeline.store, **every_frame).setup("test")
    reuse_or_refuse(cfg, directory, pipeline.sources(tracks))  # and one of other music before anything is trained
    explainer = pipeline.explainer(threshold=shown_threshold(thresholds))
    if reuse_or_refuse(cfg, directory, pipeline.sources(tracks)):
        log.info(f"{directory}: the result is there, with the same configuration, networks, sound and labels")
        return
    evaluator = Evaluator(explainer, thresholds, pipeline.controls(), cfg.agreement)
    trainer = pipeline.trainer(directory)
    scores = trainer.test(evaluator, datamodule=data, verbose=False)[0]
    if cfg.detection:
        scores |= {f"detection/{name}": value for name, value in detection(pipeline, trainer).items()}
    if not trainer.is_global_zero:  # what follows is for one process alone: nothing in it may wait for the others
        return
    rows, agreement = evaluator.rows(cfg.data.name, cfg.excerpts.split), evaluator.agreement_rows()
    facts = {"n_excerpts": rows[0]["n"], "overrides": overrides(), **pipeline.provenance()}
    with atomic_results(directory) as place:
        write_curve(rows, place / "curve.csv")
        if agreement:
            write_table(agreement, place / "agreement.csv")
        curve_figure(rows).savefig(place / "curve.png", dpi=150)
        explain_examples(explainer, data.test_set, trainer.loggers, pipeline.frontend, place / "explanations")
        write_summary(place, cfg, {**scores, **facts})
    log_evaluation(trainer.loggers, rows, agreement, scores, directory / "curve.png")
    for line in curve_lines(rows, scores["empty_mask/explanation_loss_percent"]):
        log.info(line)
    log.info(", ".join(f"{name} {value:.4g}" for name, value in scores.items()))
    log.info(f"results in {directory}")


@command
def main(cfg: DictConfig) -> None:
    if cfg.plot:
        picture = Path(cfg.plot).with_suffix(".png")
        curve_figure(read_curve(cfg.plot)).savefig(picture, dpi=150)
        log.info(f"drawn: {picture}")
    elif cfg.gather:
        gather(cfg.gather)
    else:
        with run_lock(Path(cfg.paths.run)):
            compare(cfg) if "compare" in cfg else evaluate(cfg)
