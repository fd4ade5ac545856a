"""Explanation loss against relative area over the thresholds: curve.csv and curve.png."""

import logging

import hydra
from omegaconf import DictConfig, ListConfig

from svdx.callbacks import log_curve
from svdx.cli import command
from svdx.errors import ConfigError
from svdx.evaluation.curve import write_curve
from svdx.evaluation.evaluator import Evaluator
from svdx.explain.masks import check_threshold
from svdx.pipeline import Pipeline, build
from svdx.plots import curve_figure
from svdx.provenance import write_summary

log = logging.getLogger(__name__)


def points(cfg: DictConfig) -> list[float]:
    """The thresholds of the curve: explainer.threshold alone where it is given, else all of `thresholds`."""
    if cfg.explainer.threshold is not None:
        return [cfg.explainer.threshold]
    if not isinstance(cfg.thresholds, ListConfig) or not cfg.thresholds:
        raise ConfigError(f"thresholds={cfg.thresholds}: expected a list as [0.0,0.1]")
    return list(cfg.thresholds)


@hydra.main(version_base="1.3", config_path="conf", config_name="evaluate")
@command
def main(cfg: DictConfig) -> None:
    pipeline = Pipeline(cfg)
    thresholds = points(cfg)
    for threshold in thresholds:
        check_threshold(threshold)
    data = build(cfg.excerpts, corpus=pipeline.corpus, store=pipeline.store)
    data.setup("test")  # what is wrong with the excerpts is said before anything is trained
    explainer = pipeline.explainer(threshold=thresholds[0])
    evaluator = Evaluator(explainer, thresholds, [pipeline.classifier, pipeline.inverter])
    trainer = pipeline.trainer(pipeline.directory, one_device=True)
    detection = trainer.test(evaluator, datamodule=data, verbose=False)[0]
    rows = evaluator.rows(cfg.data.name, cfg.excerpts.split)
    write_curve(rows, pipeline.directory / "curve.csv")
    curve_figure(rows).savefig(pipeline.directory / "curve.png", dpi=150)
    log_curve(trainer.loggers, rows, pipeline.directory / "curve.png")
    write_summary(
        pipeline.directory, cfg, {"detection": detection, "n_excerpts": rows[0]["n"], **pipeline.models_used()}
    )
    for row in rows:
        log.info(
            "threshold {threshold:g}: explanation loss {explanation_loss_percent:5.1f} % "
            "[{ci_low:.1f}, {ci_high:.1f}], balanced {balanced_loss_percent:5.1f} %, "
            "area {relative_area_percent:5.1f} %".format(**row)
        )
    log.info(", ".join(f"{name} {value:.3f}" for name, value in detection.items()))
    log.info(f"results in {pipeline.directory}")


if __name__ == "__main__":
    main()
