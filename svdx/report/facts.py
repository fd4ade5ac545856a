"""The result of an explanation in words: title, one-sentence verdict, and a table of facts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # these import torch, which a page does without
    from svdx.explanation.results import ExcerptResult, Result, TrackResult


def title_of(result: ExcerptResult | TrackResult) -> str:
    """The track, and which part of it."""
    part = f"from {result.start:g} s" if result.timeline is None else "whole track"
    return f"{result.track.name}, {part}"


def facts_of(result: ExcerptResult | TrackResult) -> dict[str, str]:
    """What the page's table, the summary and the log show, by name."""
    sound = result.curve.opening_sound
    facts = excerpt_facts(result) if result.timeline is None else track_facts(result)
    label = "label" if result.timeline is None else "labels"
    facts["explainer"] = result.method.name
    facts["mask"] = mask_in_words(result)
    facts[f"{label} of the kept part as sound"] = after_masking(result, sound.flipped, sound.probability)
    facts["kept energy"] = str(result.region or "none")
    if result.voice is not None and result.mask.any():
        facts["kept energy that is voice"] = f"{100 * result.voice.kept_share:.0f} %"
        facts["all energy that is voice"] = f"{100 * result.voice.share:.0f} %"
    return facts


def excerpt_facts(result: ExcerptResult) -> dict[str, str]:
    """Labels and area of one excerpt, and whether the detector agrees with the label file."""
    explanation = result.explanation
    facts = {
        "file": result.track.audio.name,
        "excerpt": label(bool(explanation.vocal[0]), float(explanation.probability[0])),
        "explanation": label(bool(explanation.masked_vocal[0]), float(explanation.masked_probability[0])),
        "label": "flipped" if explanation.flipped[0] else "kept",
        "area kept": area_kept(result, result.curve.opening_point.n_kept),
        "decision threshold": f"p > {explanation.decision:.2f}",
    }
    if result.labelled is not None:
        agrees = "agrees" if result.labelled[0] == bool(explanation.vocal[0]) else "disagrees"
        facts["labelled"] = f"{'singing' if result.labelled[0] else 'no singing'}; the detector {agrees}"
    return facts


def track_facts(result: TrackResult) -> dict[str, str]:
    """Labels and area of a whole track."""
    explanation, n = result.explanation, len(result.explanation.starts)
    facts = {
        "file": result.track.audio.name,
        "excerpts": f"{n}, one every {result.hop:.2f} s" if n > 1 else "1",
        "heard as singing": count(explanation.vocal.numpy()),
        "label": after_masking(result, explanation.flipped.numpy(), explanation.masked_probability.numpy()),
        "area kept": area_kept(result, result.curve.opening_point.n_kept),
        "decision threshold": f"p > {explanation.decision:.2f}",
    }
    if result.labelled is not None:
        facts["agrees with the labels"] = count(result.labelled == explanation.vocal.numpy())
    return facts


def verdict(result: ExcerptResult | TrackResult, facts: dict[str, str]) -> str:
    """The explanation in a sentence. facts: `facts_of(result)`"""
    how = f"(explainer {facts['explainer']}, {facts['mask']})"
    if result.timeline is None:
        return (
            f"The detector says: {facts['excerpt']}. From the {facts['area kept']} of the picture that the mask keeps "
            f"{how}, it says: {facts['explanation']}; label {facts['label']}. Kept energy: {facts['kept energy']}."
        )
    return (
        f"The detector hears singing in {facts['heard as singing']} excerpts. From the {facts['area kept']} of the "
        f"picture that the mask keeps {how}, the label is {facts['label']}. Kept energy: {facts['kept energy']}."
    )


def mask_in_words(result: Result) -> str:
    """How the mask was made and used."""
    method = result.method
    return f"{method.choice.words(result.threshold)}, keep={method.keep}, fill={method.fill}"


def after_masking(result: ExcerptResult | TrackResult, flipped: np.ndarray, probability: np.ndarray) -> str:
    """Whether the label of an excerpt was kept, or in how many excerpts of a track; both [N]."""
    if result.timeline is not None:
        return f"kept in {count(~flipped)}"
    return f"{'flipped' if flipped[0] else 'kept'} (p = {probability[0]:.3f})"


def area_kept(result: Result, n_kept: int) -> str:
    """Number of kept bins as a share of the log-mel."""
    return percent(n_kept, result.logmel.size)


def percent(n: int, total: int) -> str:
    """A share as text, to tenths; a half is rounded up, as in the page's script.

    >>> percent(1, 400)
    '0.3 %'
    """
    return f"{math.floor(1000 * n / total + 0.5) / 10:.1f} %"


def label(vocal: bool, probability: float) -> str:
    """A label and its probability.

    >>> label(False, 0.66)
    'no singing (p = 0.660)'
    """
    return f"{'singing' if vocal else 'no singing'} (p = {probability:.3f})"


def count(marks: np.ndarray) -> str:
    """How many of some excerpts, [N] bool.

    >>> count(np.array([True, True, False]))
    '2 of 3 (67 %)'
    """
    return f"{int(marks.sum())} of {len(marks)} ({100 * float(marks.mean(dtype=np.float32)):.0f} %)"
