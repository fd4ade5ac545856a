"""After an evaluation: pictures and sounds of a few excerpts, and the results on the loggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from pytorch_lightning.loggers import Logger
from rich.progress import track as progress
from torch import Tensor

from svdx.audio.logmel import FrontEnd
from svdx.audio.masking import masked_sound
from svdx.audio.reading import decode
from svdx.callbacks.pictures import excerpt_title, log_media, log_results, save_explanation
from svdx.callbacks.validation import THRESHOLD
from svdx.data.excerpts import Excerpts, spread
from svdx.evaluation.curve import is_nan, target_area
from svdx.explanation.explainer import Explainer
from svdx.explanation.thresholds import Area, Choice, position
from svdx.report.files import write_wav


def shown_threshold(thresholds: Sequence[Any]) -> Any:
    """The threshold of a curve at which pictures, sounds and summaries are made: the only one, or the nearest to 0.6,
    the paper's choice, or the area nearest to the default of the other explainers.

    thresholds: numbers, or choices such as `Area`
    """
    if len(thresholds) == 1:
        return thresholds[0]
    default: Any = Explainer.default_threshold if isinstance(thresholds[0], Area) else THRESHOLD
    return min(thresholds, key=lambda threshold: abs(position(threshold) - position(default)))


def explain_examples(
    explainer: Explainer, excerpts: Excerpts, loggers: Sequence[Logger], frontend: FrontEnd, directory: Path, n: int = 3
) -> None:
    """Picture, sound, and kept part of the sound, of a few of the evaluated excerpts.

    The excerpts are spread evenly and explained at the explainer's own threshold. Writes `excerpt-00017.png`,
    `excerpt-00017.wav` and `excerpt-00017-kept.wav` into `directory`.

    n: number of excerpts
    """
    numbers, classifier = spread(len(excerpts), n), cast(Any, explainer.classifier)
    explanation = explainer(classifier.standardise(excerpts[numbers]["logmel"]))
    pictures, sounds, kept = {}, {}, {}
    for row, number in enumerate(progress(numbers, f"pictures and sounds of {len(numbers)} excerpts")):
        stem, caption = directory / f"excerpt-{number:05d}", excerpt_title(excerpts, number, frontend)
        title = f"{caption}; {explainer.choice.words(float(explanation.threshold[row]))}"
        picture, sound, part = (stem.with_name(stem.name + end) for end in (".png", ".wav", "-kept.wav"))
        pictures[picture], sounds[sound], kept[part] = title, caption, title
        save_explanation(explanation, row, frontend, title, picture, explainer.score_name)
        track, span = _samples(excerpts, number, frontend)
        write_wav(sound, track[span], frontend.sample_rate)
        kept_sound = masked_sound(track, explanation.mask[row].float(), frontend, span=span)
        write_wav(part, kept_sound, frontend.sample_rate)
    log_media(loggers, {"explanations": pictures}, {"sounds/excerpt": sounds, "sounds/kept": kept})


def _samples(excerpts: Excerpts, number: int, frontend: FrontEnd) -> tuple[Tensor, slice]:
    """The samples of an excerpt's track, [n], and which of them belong to the excerpt."""
    track = excerpts.tracks[excerpts.track_of[number]]
    return decode(track.audio, frontend.sample_rate), frontend.excerpt_samples(int(excerpts.start_of[number]))


def log_evaluation(
    loggers: Sequence[Logger],
    rows: Sequence[dict[str, Any]],
    agreement: Sequence[dict[str, Any]],
    scores: Mapping[str, float],
    picture: Path,
) -> None:
    """Log what an evaluation wrote: figure, charts and tables; scores and one point of the curve as its results.

    rows, agreement: of curve.csv and agreement.csv (empty if not measured); scores: of summary.json; picture: curve.png
    """
    explained = [row for row in rows if row["explainer"] == rows[0]["explainer"]]
    areas = [target_area(row) for row in explained]
    cuts: list[float | Choice] = [
        row["threshold"] if area is None else Area(area / 100) for row, area in zip(explained, areas, strict=True)
    ]
    point = explained[cuts.index(shown_threshold(cuts))]
    tables = {"curve/rows": rows, **({"agreement/rows": agreement} if agreement else {})}
    log_media(loggers, {"curve/figure": {picture: "curve"}}, tables=tables, curves={"curve": rows})
    numbers = {name: value for name, value in point.items() if not (isinstance(value, str) or is_nan(value))}
    log_results(loggers, {**scores, **numbers})
