"""A whole track: its files, and what they say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from svdx.audio.logmel import FrontEnd
from svdx.audio.reading import Sound, read
from svdx.corpora.labels import check_time_unit
from svdx.corpora.track import Track
from svdx.explain import TrackExplanation
from svdx.explain.listener import Listener, excerpt_span
from svdx.report.figures import track_figure
from svdx.report.page import Label, Point, Timeline, explanation_page, percent
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

TIMELINE_HOP = 9  # frames: excerpts so far apart share all of their convolutions


def document_track(
    listener: Listener,
    track: Track,
    hop: float | None,
    thresholds: Points,
    directory: Path,
    sounds: bool = True,
) -> dict[str, str]:
    """Explain a whole track by an excerpt every `hop` seconds, write it into `directory`, return it in words.

    Written: explanation.png, explanation.npz, track.wav (the whole), explanation.wav (the kept part), removed.wav,
    report.html. hop: None for `svdx.explain.listener.HOP`; thresholds: numbers, or areas, for which the page says how
    many labels are kept; sounds: write the WAV files.
    """
    whole = read(track.audio)
    check_time_unit(track, whole.samples.shape[-1] / whole.rate)
    samples = whole.mono(listener.frontend.sample_rate)
    excerpt_span(len(samples), 0, listener.frontend, track.audio)  # long enough?
    stems = log_mels_of_stems(listener, track, samples, slice(0, len(samples)))
    explanation = listener.listen_track(samples, hop)
    kept = listener.kept_sound(whole, explanation)
    points = track_points(listener, explanation, thresholds, kept)
    own = next(point for point in points if point.sound is not None)
    scale = scale_of(listener.explainer, thresholds)
    arrays = (explanation.track, explanation.salience, explanation.mask)
    picture = picture_of(listener, *arrays, explanation.threshold, scale, stems)
    facts = {
        **track_facts(explanation, track, listener.frontend),
        "explainer": listener.explainer.name,
        "mask": mask_in_words(listener.explainer, explanation.threshold),
        "labels of the kept part as sound": own.as_sound.text,
        **region_facts(picture, explanation.mask.numpy(), stems),
    }
    title = f"{track.name}, whole track"
    figure = track_figure(explanation, listener.frontend, title, listener.explainer.score_name)
    directory.mkdir(parents=True, exist_ok=True)
    figure.savefig(directory / "explanation.png", dpi=150)
    np.savez_compressed(directory / "explanation.npz", **explanation.arrays())
    if sounds:
        write_sounds(directory, whole, kept, "track")
    timeline = timeline_of(listener, explanation, track)
    page = explanation_page(title, verdict(facts), facts, picture, points, samples.numpy(), timeline)
    (directory / "report.html").write_text(page, encoding="utf-8")
    return facts


def track_facts(explanation: TrackExplanation, track: Track, frontend: FrontEnd) -> dict[str, str]:
    """What an explanation of a track says in words and numbers."""
    n = len(explanation.starts)
    hop = float(explanation.starts[:2].diff().sum()) / frontend.frame_rate
    facts = {
        "file": track.audio.name,
        "excerpts": f"{n}, one every {hop:.2f} s" if n > 1 else "1",
        "heard as singing": count(explanation.vocal),
        "label": kept_in(explanation.flipped).text,
        "area kept": percent(explanation.mask),
        "decision threshold": f"p > {explanation.decision:.2f}",
    }
    if track.segments:
        truth = torch.tensor([is_sung(track, centre(start, frontend)) for start in explanation.starts.tolist()])
        facts["agrees with the labels"] = count(truth == explanation.vocal)
    return facts


def count(marks: Tensor) -> str:
    """How many of some excerpts, [N] bool.

    >>> count(torch.tensor([True, True, False]))
    '2 of 3 (67 %)'
    """
    return f"{int(marks.sum())} of {len(marks)} ({100 * float(marks.float().mean()):.0f} %)"


def kept_in(flipped: Tensor) -> Label:
    """In how many excerpts, [N] bool, the label is kept."""
    return Label(f"kept in {count(~flipped)}")


def verdict(facts: dict[str, str]) -> str:
    """The explanation of a track in a sentence."""
    return (
        f"The detector hears singing in {facts['heard as singing']} excerpts. From the {facts['area kept']} of the "
        f"picture that the mask keeps (explainer {facts['explainer']}, {facts['mask']}), "
        f"the label is {facts['label']}. "
        f"Kept energy: {facts['kept energy']}."
    )


def track_points(listener: Listener, explanation: TrackExplanation, thresholds: Points, kept: Sound) -> list[Point]:
    """What stays of a track at each threshold, or area, and at the explainer's own, for which alone there is a sound:
    `kept`."""
    points, scale = [], scale_of(listener.explainer, thresholds)
    start = start_of(listener.explainer, scale, explanation.threshold, explanation.mask.numpy())
    for position, masked in at_each(listener, explanation, thresholds, start):
        point = Point(position, beside(scale, masked), kept_in(masked.flipped))
        if position == start:
            played = kept.mono(listener.frontend.sample_rate)
            again = listener.hear_track(played, explanation.starts) > explanation.decision
            point = replace(point, as_sound=kept_in(again != explanation.vocal), sound=played.numpy())
        points.append(point)
    return points


def timeline_of(listener: Listener, explanation: TrackExplanation, track: Track) -> Timeline:
    """Probability of singing over the whole track, every TIMELINE_HOP frames, at the excerpts' centres."""
    length, frame_rate = listener.frontend.excerpt_frames, listener.frontend.frame_rate
    starts = torch.arange(0, len(explanation.track) - length + 1, TIMELINE_HOP)
    probability = listener.probabilities(explanation.track, starts)
    times = (starts + length / 2) / frame_rate
    sung = [(segment.start, segment.end) for segment in track.segments if segment.vocal]
    return Timeline(times.numpy(), probability.numpy(), explanation.decision, sung, bool(track.segments))
