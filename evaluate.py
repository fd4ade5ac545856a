"""Explanation loss against relative area over the thresholds: curve.csv and curve.png."""

import logging
import sys
from pathlib import Path

import hydra
from omegaconf import DictConfig

from svdx.callbacks import explain_examples, log_evaluation, shown_threshold
from svdx.cli import as_typed, command
from svdx.comparing import compare
from svdx.errors import ConfigError
from svdx.evaluation.curve import curve_lines, read_curve, write_curve, write_table
from svdx.evaluation.evaluator import Evaluator
from svdx.explain.thresholds import Choice
from svdx.pipeline import Pipeline
from svdx.plots import curve_figure
from svdx.provenance import write_summary
from svdx.settings import build
from svdx.sweep import forget, gather, is_done

log = logging.getLogger(__name__)


def points(cfg: DictConfig) -> list[float] | list[Choice]:
    """The thresholds of the curve: what chooses them alone, or explainer.threshold alone, else all of `thresholds`."""
    if cfg.explainer.get("choice"):
        return [build(cfg.explainer.choice)]
    if cfg.explainer.threshold is not None:
        return [cfg.explainer.threshold]
    if not cfg.thresholds:
        raise ConfigError("thresholds=[]: expected numbers, as [0.0,0.1]")
    return list(cfg.thresholds)


def evaluate(cfg: DictConfig) -> None:
    """Measure the curve."""
    directory = Path(cfg.paths.run)
    if not is_done(cfg, directory):
        forget(directory)
    pipeline = Pipeline(cfg)
    thresholds = points(cfg)
    data = build(cfg.excerpts, corpus=pipeline.corpus, store=pipeline.store)
    data.setup("test")  # what is wrong with the excerpts is said before anything is trained
    if cfg.detection:
        for split in ("valid", "test"):
            every_frame = dict(split=split, sampling="all", test_hop=1, both_classes=True)
            build(cfg.excerpts, corpus=pipeline.corpus, store=pipeline.store, **every_frame).setup("test")
    explainer = pipeline.explainer(threshold=shown_threshold(thresholds))
    if is_done(cfg, directory, pipeline.used):
        log.info(f"{directory}: the result is there, with the same configuration and networks")
        return
    forget(directory)
    evaluator = Evaluator(explainer, thresholds, pipeline.controls(), cfg.agreement)
    trainer = pipeline.trainer(directory)
    scores = trainer.test(evaluator, datamodule=data, verbose=False)[0]
    if cfg.detection:
        scores |= {f"detection/{name}": value for name, value in pipeline.detection(trainer).items()}
    if not trainer.is_global_zero:  # what follows is for one process alone: nothing in it may wait for the others
        return
    rows, agreement = evaluator.rows(cfg.data.name, cfg.excerpts.split), evaluator.agreement_rows()
    write_curve(rows, directory / "curve.csv")
    if agreement:
        write_table(agreement, directory / "agreement.csv")
    curve_figure(rows).savefig(directory / "curve.png", dpi=150)
    explain_examples(explainer, data.test_set, trainer.loggers, pipeline.frontend, directory / "explanations")
    log_evaluation(trainer.loggers, rows, agreement, scores, directory / "curve.png")
    write_summary(directory, cfg, {**scores, "n_excerpts": rows[0]["n"], **pipeline.used})
    for line in curve_lines(rows, scores["empty_mask/explanation_loss_percent"]):
        log.info(line)
    log.info(", ".join(f"{name} {value:.4g}" for name, value in scores.items()))
    log.info(f"results in {directory}")


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
@command
def main(cfg: DictConfig) -> None:
    if cfg.plot:
        picture = Path(cfg.plot).with_suffix(".png")
        curve_figure(read_curve(cfg.plot)).savefig(picture, dpi=150)
        log.info(f"drawn: {picture}")
    elif cfg.gather:
        gather(cfg.gather)
    elif "compare" in cfg:
        compare(cfg)
    else:
        evaluate(cfg)


if __name__ == "__main__":
    sys.argv[1:] = as_typed(sys.argv[1:])
    main()
