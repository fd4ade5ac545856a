"""What the documents of an excerpt and of a track have in common."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from svdx.audio.logmel import FrontEnd
from svdx.audio.reading import Sound, read
from svdx.corpora.track import Track
from svdx.errors import AudioError
from svdx.explain.explainer import Explainer
from svdx.explain.listener import Either, Listener
from svdx.explain.region import region, voice_bins, voice_share
from svdx.explain.thresholds import DIGITS, Area, Fixed, as_choice, position
from svdx.report.page import Picture, percent
from svdx.report.slider import AREAS, LEAST, THRESHOLDS, Scale
from svdx.report.wav import write_wav

Points = Sequence[float] | Sequence[Area]

log = logging.getLogger(__name__)


def mask_in_words(explainer: Explainer, threshold: float) -> str:
    """How a mask is made and used. threshold: of the explanation"""
    return f"{explainer.choice.words(threshold)}, keep={explainer.keep}, fill={explainer.fill}"


def scale_of(explainer: Explainer, points: Points) -> Scale:
    """What a page's slider goes over: what its points are; without any, what the explainer is cut at."""
    if points:
        return AREAS if isinstance(points[0], Area) else THRESHOLDS
    is_fixed = isinstance(explainer.choice, Fixed) or isinstance(as_choice(explainer.default_threshold), Fixed)
    return THRESHOLDS if is_fixed else AREAS


def start_of(explainer: Explainer, scale: Scale, threshold: float, mask: np.ndarray) -> float:
    """The position at which a page opens, for a mask found at `threshold`.

    A threshold is 0 only if everything is salient; an area is the one that was asked for, or else that of the mask.
    """
    salient, choice = mask if explainer.keep == "salient" else ~mask, explainer.choice
    if scale is AREAS:
        return choice.area if isinstance(choice, Area) else float(salient.mean())
    return choice.shown(threshold) or (0.0 if salient.all() else LEAST)


def at_each(listener: Listener, explanation: Either, points: Points, start: float) -> Iterator[tuple[float, Either]]:
    """The explanation at each of a page's positions, ascending: at its points, and as it is where the page opens."""
    cuts = {position(point): point for point in points}
    for place in sorted({*cuts, start}):
        yield place, explanation if place == start else listener.at(explanation, cuts[place])


def beside(scale: Scale, masked: Either) -> str:
    """What stands beside a position: at a threshold the area that is kept, at an area the threshold."""
    if scale is THRESHOLDS:
        return percent(masked.mask)
    threshold = float(masked.threshold)
    return "—" if threshold > 1 else f"{threshold:.{DIGITS}g}"


def region_facts(picture: Picture, mask: np.ndarray, stems: tuple[np.ndarray, np.ndarray] | None) -> dict[str, str]:
    """Where the kept energy lies and, where the voice is known, how much of it is voice."""
    edges, frame_rate = picture.frontend.band_edges().numpy(), picture.frontend.frame_rate
    facts = {"kept energy": str(region(picture.logmel, mask, edges, frame_rate) or "none")}
    if stems is not None and mask.any():
        facts["kept energy that is voice"] = f"{100 * voice_share(*stems, mask):.0f} %"
        facts["all energy that is voice"] = f"{100 * voice_share(*stems, np.ones_like(mask)):.0f} %"
    return facts


def write_sounds(directory: Path, whole: Sound, kept: Sound, whole_name: str) -> None:
    """Write the whole, under its name, the kept and the removed part of a sound, at its own rate, in its channels."""
    parts = {whole_name: whole.samples, "explanation": kept.samples, "removed": whole.samples - kept.samples}
    for name, samples in parts.items():
        write_wav(directory / f"{name}.wav", samples, whole.rate)


def picture_of(
    listener: Listener,
    standardised: Tensor,
    salience: Tensor,
    mask: Tensor,
    threshold: float,
    scale: Scale,
    stems: tuple[np.ndarray, np.ndarray] | None,
) -> Picture:
    """What the canvas shows of a standardised log-mel with its salience and mask, all [frames, bands].

    threshold: at which the mask was found. Where the page opens the picture's mask is this one, also where a choice
    keeps only some of equally salient bins.
    """
    explainer = listener.explainer
    start = start_of(explainer, scale, threshold, mask.numpy())
    salient = (mask if explainer.keep == "salient" else ~mask).numpy()
    at, salience = np.float32(threshold if scale is AREAS else start), salience.numpy()
    below = np.nextafter(at, np.float32(-1))
    return Picture(
        listener.raw(standardised).numpy(),
        np.where(salient, np.maximum(salience, at), np.minimum(salience, below)),
        start,
        explainer.keep,
        listener.frontend,
        voice_bins(*stems) if stems is not None else None,
        scale,
    )


def centre(frame: int, frontend: FrontEnd) -> float:
    """The second in the middle of the excerpt that begins at a frame: its label is the excerpt's."""
    return (frame + frontend.excerpt_frames // 2) / frontend.frame_rate


def is_sung(track: Track, time: float) -> bool:
    """Do the labels say that somebody sings at a time in seconds?"""
    return any(segment.vocal and segment.start <= time < segment.end for segment in track.segments)


def log_mels_of_stems(
    listener: Listener, track: Track, samples: Tensor, span: slice
) -> tuple[np.ndarray, np.ndarray] | None:
    """Log-mel of the voice and of everything else in samples [n], a span of a track; None where no voice is known."""
    if track.vocals is None:
        return None
    try:
        voice = read(track.vocals, mono=True, number=track.voice_number).mono(listener.frontend.sample_rate, span)
    except AudioError as error:
        log.warning(f"the voice is left out: {error}")
        return None
    voice = F.pad(voice, (0, len(samples) - len(voice)))
    return listener.logmel(voice).numpy(), listener.logmel(samples - voice).numpy()
