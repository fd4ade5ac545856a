"""Explanation loss against relative area, over thresholds or over areas: curve.csv and curve.png."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from svdx.app.multirun import overrides
from svdx.app.pipeline import Pipeline
from svdx.app.points import curve_points
from svdx.app.provenance import write_summary
from svdx.app.run_directory import atomic_results, reuse_or_refuse, run_lock
from svdx.app.sweep import gather
from svdx.callbacks import explain_examples, log_evaluation, shown_threshold
from svdx.commands.compare import compare
from svdx.commands.detection import detection
from svdx.evaluation.curve import curve_lines, read_curve, write_curve, write_table
from svdx.evaluation.evaluator import Evaluator
from svdx.report.curve_figure import curve_figure

log = logging.getLogger(__name__)


def evaluate(cfg: DictConfig) -> None:
    """Measure the curve of the configured explainer and of the controls, and write it to the run's directory."""
    pipeline = Pipeline(cfg)
    directory = pipeline.directory
    reuse_or_refuse(cfg, directory)  # refuses another result before anything is made
    thresholds = curve_points(cfg)
    data = pipeline.make_data(cfg.excerpts)
    data.setup("test")  # refuses unusable excerpts before anything is trained
    tracks = list(data.test_set.tracks)
    if cfg.detection:
        for split in ("valid", "test"):
            tracks += pipeline.corpus.split(split)
            every_frame = dict(split=split, sampling="all", test_hop=1, both_classes=True)
            pipeline.make_data(cfg.excerpts, **every_frame).setup("test")
    reuse_or_refuse(cfg, directory, pipeline.sources(tracks))  # refuses other music before anything is trained
    explainer = pipeline.prepare_explainer(threshold=shown_threshold(thresholds))
    if reuse_or_refuse(cfg, directory, pipeline.sources(tracks)):
        log.info(f"{directory}: up to date, nothing to do (same configuration, networks, audio and labels)")
        return
    evaluator = Evaluator(explainer, thresholds, pipeline.make_controls(), cfg.agreement)
    trainer = pipeline.make_trainer()
    scores = dict(trainer.test(evaluator, datamodule=data, verbose=False)[0])
    if cfg.detection:
        scores |= {f"detection/{name}": value for name, value in detection(pipeline, trainer).items()}
    if not trainer.is_global_zero:  # from here on one process works alone: nothing may wait for the others
        return
    rows, agreement = evaluator.rows(cfg.data.name, cfg.excerpts.split), evaluator.agreement_rows()
    facts = {"n_excerpts": rows[0]["n"], "overrides": overrides(), **pipeline.provenance()}
    with atomic_results(directory) as results:
        write_curve(rows, results / "curve.csv")
        if agreement:
            write_table(agreement, results / "agreement.csv")
        curve_figure(rows).savefig(results / "curve.png", dpi=150)
        explain_examples(explainer, data.test_set, trainer.loggers, pipeline.frontend, results / "explanations")
        write_summary(results, cfg, {**scores, **facts})
    log_evaluation(trainer.loggers, rows, agreement, scores, directory / "curve.png")
    for line in curve_lines(rows, scores["empty_mask/explanation_loss_percent"]):
        log.info(line)
    log.info(", ".join(f"{name} {value:.4g}" for name, value in scores.items()))
    log.info(f"results in {directory}")


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
