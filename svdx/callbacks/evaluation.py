"""After an evaluation: pictures and sounds of a few of the excerpts, and the results on W&B."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import wandb
from pytorch_lightning.loggers import Logger
from rich.progress import track as progress
from torch import Tensor
from torch.utils.data import Dataset

from svdx.audio.logmel import FrontEnd
from svdx.audio.masking import masked_sound
from svdx.audio.reading import decode
from svdx.callbacks.panels import SHOWN, charts, draw, images, place, spread, table, wandb_only
from svdx.evaluation.curve import is_nan, target_area
from svdx.explain.explainer import Explainer
from svdx.explain.thresholds import Area, Choice, position
from svdx.report.files import write_wav


def shown_threshold(thresholds: Sequence[float] | Sequence[Choice]) -> float | Choice:
    """Which of a curve's thresholds pictures, sounds and summaries are of: the only one, or the nearest to 0.6, the
    paper's choice; of areas the nearest to the other explainers' own."""
    if len(thresholds) == 1:
        return thresholds[0]
    own = Explainer.default_threshold if isinstance(thresholds[0], Area) else SHOWN
    return min(thresholds, key=lambda threshold: abs(position(threshold) - position(own)))


def explain_examples(
    explainer: Explainer, excerpts: Dataset, loggers: Sequence[Logger], frontend: FrontEnd, directory: Path, n: int = 3
) -> None:
    """A picture, the sound, and the kept part of the sound, of a few of the evaluated excerpts.

    They are spread evenly and explained at the explainer's own threshold. `directory` holds `excerpt-00017.png`,
    `excerpt-00017.wav` and `excerpt-00017-kept.wav`; W&B shows the same.

    excerpts: `svdx.data.excerpts.Excerpts`; n: how many
    """
    numbers, classifier = spread(len(excerpts), n), explainer.classifier
    explanation = explainer(classifier.standardise(excerpts[numbers]["logmel"]))
    pictures, sounds, kept = {}, {}, {}
    for row, number in enumerate(progress(numbers, f"pictures and sounds of {len(numbers)} excerpts")):
        stem, caption = directory / f"excerpt-{number:05d}", place(excerpts, number, frontend)
        title = f"{caption}; {explainer.choice.words(float(explanation.threshold[row]))}"
        pictures[stem.with_suffix(".png")] = title
        draw(explanation, row, frontend, title, stem.with_suffix(".png"), explainer.score_name)
        track, span = _track_and_span(excerpts, number, frontend)
        part = masked_sound(track, explanation.mask[row].float(), frontend, span=span)
        whole, left = stem.with_suffix(".wav"), stem.with_name(f"{stem.name}-kept.wav")
        sounds[whole], kept[left] = caption, title
        for path, sound in ((whole, track[span]), (left, part)):
            write_wav(path, sound, frontend.sample_rate)
    for logger in wandb_only(loggers):
        shown = {"explanations": images(pictures), "sounds/excerpt": audio(sounds), "sounds/kept": audio(kept)}
        logger.log_metrics(shown)


def _track_and_span(excerpts: Dataset, number: int, frontend: FrontEnd) -> tuple[Tensor, slice]:
    """The samples of the track that an excerpt is of, [n], and which of them are the excerpt."""
    track, start = excerpts.tracks[excerpts.track_of[number]], int(excerpts.start_of[number]) * frontend.hop
    span = slice(start, start + frontend.n_samples(frontend.excerpt_frames))
    return decode(track.audio, frontend.sample_rate), span


def audio(sounds: dict[Path, str]) -> list[wandb.Audio]:
    """Files of sounds, each with its caption."""
    return [wandb.Audio(str(path), caption=caption) for path, caption in sounds.items()]


def log_evaluation(
    loggers: Sequence[Logger],
    rows: Sequence[dict],
    agreement: Sequence[dict],
    scores: dict[str, float],
    picture: Path,
) -> None:
    """Show on W&B what an evaluation wrote: charts, tables and figure; scores and one point of the curve as summary.

    rows, agreement: of curve.csv and agreement.csv (none: not measured); scores: of summary.json; picture: curve.png
    """
    explained = [row for row in rows if row["explainer"] == rows[0]["explainer"]]
    areas = [target_area(row) for row in explained]
    cuts = [row["threshold"] if area is None else Area(area / 100) for row, area in zip(explained, areas, strict=True)]
    point = explained[cuts.index(shown_threshold(cuts))]
    for logger in wandb_only(loggers):
        shown = {**charts("curve", rows), "curve/rows": table(rows), "curve/figure": wandb.Image(str(picture))}
        if agreement:
            shown["agreement/rows"] = table(agreement)
        logger.log_metrics(shown)
        numbers = {name: value for name, value in point.items() if not (isinstance(value, str) or is_nan(value))}
        logger.experiment.summary.update({**scores, **numbers})
