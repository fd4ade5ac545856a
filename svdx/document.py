"""The files that an explanation leaves: pictures, arrays, sounds, and the page that shows and plays them."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from torch import Tensor
from torch.nn import functional as F

from svdx.audio import decode
from svdx.corpora.track import Track
from svdx.errors import AudioError
from svdx.explain import Explanation
from svdx.explain.region import region, voice_bins, voice_share
from svdx.listener import Listener, excerpt_span
from svdx.plots import explanation_figure
from svdx.report import Picture, Point, explanation_facts, explanation_page, kept_or_flipped, percent

log = logging.getLogger(__name__)


def document_excerpt(
    listener: Listener, track: Track, start: float, thresholds: Sequence[float], directory: Path
) -> dict[str, str]:
    """Explain the excerpt that begins at `start` seconds, write all of it into `directory`, return it in words.

    Written: explanation.png, explanation.npz, excerpt.wav (the whole), explanation.wav (the kept part), removed.wav,
    report.html. thresholds: for which the page says whether the label is kept.
    """
    samples = decode(track.audio, listener.frontend.sample_rate)
    span = excerpt_span(samples, start, listener.frontend, track.audio)
    stems = _stems(listener, track, samples, span)
    samples = samples[span]
    explanation = listener.listen(samples)
    points = excerpt_points(listener, samples, explanation, thresholds)
    own = next(point for point in points if point.threshold == listener.explainer.threshold)
    picture = _picture(listener, samples, explanation.salience[0], stems)
    mask = explanation.mask[0].numpy()
    facts = {
        **explanation_facts(explanation),
        "label of the kept part as sound": own.cells[-1],
        **region_facts(picture, mask, stems),
    }
    title = f"{track.audio.name}, from {start:g} s"
    figure = explanation_figure(explanation, listener.frontend, title=title)
    directory.mkdir(parents=True, exist_ok=True)
    figure.savefig(directory / "explanation.png", dpi=150)
    np.savez_compressed(directory / "explanation.npz", **explanation.arrays())
    write_sounds(directory, samples.numpy(), own.sound, listener.frontend.sample_rate)
    page = explanation_page(title, verdict(facts), facts, picture, points, samples.numpy())
    (directory / "report.html").write_text(page, encoding="utf-8")
    return facts


def verdict(facts: dict[str, str]) -> str:
    """The explanation of one excerpt in a sentence."""
    return (
        f"The detector says: {facts['excerpt']}. From the {facts['area kept']} of the picture that the mask keeps, it "
        f"says: {facts['explanation']}; label {facts['label']}. Where: {facts['where']}."
    )


def excerpt_points(
    listener: Listener, samples: Tensor, explanation: Explanation, thresholds: Sequence[float]
) -> list[Point]:
    """What stays of one excerpt, [n], at each of the thresholds and at the explainer's own, by ascending threshold."""
    points = []
    for threshold in sorted({*thresholds, listener.explainer.threshold}):
        masked = listener.explainer.at(explanation, threshold)
        sound = listener.kept_sound(samples, masked)
        label = kept_or_flipped(bool(masked.flipped[0]), float(masked.masked_probability[0]))
        cells = (percent(masked.mask[0]), label, as_sound(listener, sound, explanation))
        points.append(Point(threshold, cells, sound.numpy()))
    return points


def as_sound(listener: Listener, sound: Tensor, explanation: Explanation) -> str:
    """Is the excerpt's label still the same when its kept part goes through sound: front end and classifier again?"""
    probability = listener.hear(sound)
    return kept_or_flipped((probability > explanation.decision) != bool(explanation.vocal[0]), probability)


def region_facts(picture: Picture, mask: np.ndarray, stems: tuple[np.ndarray, np.ndarray] | None) -> dict[str, str]:
    """Where the kept energy lies and, where the voice is known, how much of it is voice."""
    edges, frame_rate = picture.frontend.band_edges().numpy(), picture.frontend.frame_rate
    facts = {"where": str(region(picture.logmel, mask, edges, frame_rate) or "nowhere: nothing is kept")}
    if stems is not None and mask.any():
        facts["kept energy that is voice"] = f"{100 * voice_share(*stems, mask):.0f} %"
        facts["all energy that is voice"] = f"{100 * voice_share(*stems, np.ones_like(mask)):.0f} %"
    return facts


def write_sounds(directory: Path, whole: np.ndarray, kept: np.ndarray, sample_rate: int) -> None:
    """Write the whole, the kept and the removed part as WAV in float, so that nothing clips and the parts sum up."""
    for name, sound in (("excerpt", whole), ("explanation", kept), ("removed", whole - kept)):
        soundfile.write(directory / f"{name}.wav", sound, sample_rate, subtype="FLOAT")


def _picture(
    listener: Listener, samples: Tensor, salience: Tensor, stems: tuple[np.ndarray, np.ndarray] | None
) -> Picture:
    explainer = listener.explainer
    return Picture(
        listener.logmel(samples).numpy(),
        salience.numpy(),
        explainer.threshold,
        explainer.keep,
        listener.frontend,
        voice_bins(*stems) if stems is not None else None,
    )


def _stems(listener: Listener, track: Track, samples: Tensor, span: slice) -> tuple[np.ndarray, np.ndarray] | None:
    """Log-mel of the voice and of everything else in a stretch of a track, or None where the voice is not known."""
    if track.vocals is None:
        return None
    try:
        voice = decode(track.vocals, listener.frontend.sample_rate)
    except AudioError as error:
        log.warning(f"the voice is left out: {error}")
        return None
    voice = F.pad(voice, (0, max(0, len(samples) - len(voice))))[: len(samples)][span]
    return listener.logmel(voice).numpy(), listener.logmel(samples[span] - voice).numpy()
