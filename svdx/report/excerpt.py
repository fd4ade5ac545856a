"""One excerpt: its files, and what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from svdx.audio.reading import Sound, read
from svdx.corpora.labels import check_time_unit
from svdx.corpora.track import Track
from svdx.explain import Explanation
from svdx.explain.listener import Listener, excerpt_span
from svdx.report.figures import explanation_figure
from svdx.report.page import Label, Point, explanation_page, heard, kept_or_flipped, percent
from svdx.report.parts import (
    Points,
    at_each,
    beside,
    centre,
    is_sung,
    log_mels_of_stems,
    mask_in_words,
    picture_of,
    region_facts,
    scale_of,
    start_of,
    write_sounds,
)


def document_excerpt(
    listener: Listener, track: Track, start: float, thresholds: Points, directory: Path, sounds: bool = True
) -> dict[str, str]:
    """Explain the excerpt that begins at `start` seconds, write all of it into `directory`, return it in words.

    Written: explanation.png, explanation.npz, excerpt.wav (the whole), explanation.wav (the kept part), removed.wav,
    report.html. thresholds: numbers, or areas, for which the page says whether the label is kept; sounds: write the WAV
    files.
    """
    sound, sample_rate = read(track.audio), listener.frontend.sample_rate
    check_time_unit(track, sound.samples.shape[-1] / sound.rate)
    excerpt = excerpt_span(sound.length(sample_rate), start, listener.frontend, track.audio)
    samples, span = sound.mono(sample_rate, excerpt), sound.source_span(excerpt, sample_rate)
    stems = log_mels_of_stems(listener, track, samples, excerpt)
    explanation = listener.listen(samples)
    mask, chosen = explanation.mask[0].numpy(), float(explanation.threshold[0])
    scale = scale_of(listener.explainer, thresholds)
    arrays = (explanation.excerpts[0], explanation.salience[0], explanation.mask[0])
    picture = picture_of(listener, *arrays, chosen, scale, stems)
    points = excerpt_points(listener, sound, span, explanation, thresholds)
    own = next(point for point in points if point.position == picture.start)
    facts = {
        "file": track.audio.name,
        **explanation_facts(explanation),
        **label_facts(explanation, track, centre(excerpt.start // listener.frontend.hop, listener.frontend)),
        "explainer": listener.explainer.name,
        "mask": mask_in_words(listener.explainer, chosen),
        "label of the kept part as sound": own.as_sound.text,
        **region_facts(picture, mask, stems),
    }
    title = f"{track.name}, from {start:g} s"
    figure = explanation_figure(explanation, listener.frontend, title=title, score=listener.explainer.score_name)
    directory.mkdir(parents=True, exist_ok=True)
    figure.savefig(directory / "explanation.png", dpi=150)
    np.savez_compressed(directory / "explanation.npz", **explanation.arrays())
    whole = sound.cut(span)
    if sounds:
        write_sounds(directory, whole, listener.kept_sound(sound, explanation, span), "excerpt")
    page = explanation_page(title, verdict(facts), facts, picture, points, whole.mono(sample_rate).numpy())
    (directory / "report.html").write_text(page, encoding="utf-8")
    return facts


def explanation_facts(explanation: Explanation) -> dict[str, str]:
    """What an explanation of one excerpt says in words and numbers."""
    return {
        "excerpt": heard(bool(explanation.vocal[0]), float(explanation.probability[0])),
        "explanation": heard(bool(explanation.masked_vocal[0]), float(explanation.masked_probability[0])),
        "label": "flipped" if explanation.flipped[0] else "kept",
        "area kept": percent(explanation.mask[0]),
        "decision threshold": f"p > {explanation.decision:.2f}",
    }


def label_facts(explanation: Explanation, track: Track, time: float) -> dict[str, str]:
    """What the labels, where there are any, say of the excerpt around a second, and whether the detector agrees."""
    if not track.segments:
        return {}
    sung = is_sung(track, time)
    agrees = "agrees" if sung == bool(explanation.vocal[0]) else "disagrees"
    return {"labelled": f"{'singing' if sung else 'no singing'}; the detector {agrees}"}


def verdict(facts: dict[str, str]) -> str:
    """The explanation of one excerpt in a sentence."""
    return (
        f"The detector says: {facts['excerpt']}. From the {facts['area kept']} of the picture that the mask keeps "
        f"(explainer {facts['explainer']}, {facts['mask']}), it says: {facts['explanation']}; label {facts['label']}. "
        f"Kept energy: {facts['kept energy']}."
    )


def excerpt_points(
    listener: Listener, sound: Sound, span: slice, explanation: Explanation, thresholds: Points
) -> list[Point]:
    """What stays of the excerpt at a span of a sound at each threshold, or area, and at the explainer's own."""
    points, scale = [], scale_of(listener.explainer, thresholds)
    start = start_of(listener.explainer, scale, float(explanation.threshold[0]), explanation.mask[0].numpy())
    for position, masked in at_each(listener, explanation, thresholds, start):
        kept = listener.kept_sound(sound, masked, span).mono(listener.frontend.sample_rate)
        label = kept_or_flipped(bool(masked.flipped[0]), float(masked.masked_probability[0]))
        again = as_sound(listener, kept, explanation)
        points.append(Point(position, beside(scale, masked), label, again, kept.numpy()))
    return points


def as_sound(listener: Listener, kept: Tensor, explanation: Explanation) -> Label:
    """Is the excerpt's label still the same when its kept part, [n], goes through front end and classifier again?"""
    probability = listener.hear(kept)
    return kept_or_flipped((probability > explanation.decision) != bool(explanation.vocal[0]), probability)
