"""From an audio file to the result of explaining one of its excerpts, or all of it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from svdx.audio.logmel import FrontEnd
from svdx.audio.masking import masked_sound
from svdx.audio.reading import Sound, read
from svdx.corpora.labels import check_time_unit
from svdx.corpora.track import Track
from svdx.errors import AudioError, ConfigError
from svdx.explain.explainer import Explainer, Explanation
from svdx.explain.region import region, voice_bins, voice_share
from svdx.explain.results import AsSound, Curve, ExcerptResult, Method, Point, Timeline, TrackResult, Voice
from svdx.explain.thresholds import LEAST, Area, Fixed, as_choice, position
from svdx.explain.tracks import TrackExplanation, at, explain_track, probabilities

HOP = 18  # frames; excerpts a multiple of 9 frames apart share all of their convolutions
TIMELINE_HOP = 9  # frames
Points = Sequence[float] | Sequence[Area]
AnyExplanation = TypeVar("AnyExplanation", Explanation, TrackExplanation)

log = logging.getLogger(__name__)


def read_track(track: Track) -> Sound:
    """The sound of a track. Raises: AudioError; CorpusError if its labels are in another unit than seconds."""
    sound = read(track.audio)
    check_time_unit(track, sound.samples.shape[-1] / sound.rate)
    return sound


def excerpt_span(n: int, start: float, frontend: FrontEnd, audio: str | Path) -> slice:
    """Which of a track's n samples are the excerpt that begins at the frame nearest to `start` seconds.

    audio: the track's name in errors. Raises: AudioError if the track has no such excerpt.
    """
    n_frames, needed = frontend.n_frames(n), frontend.excerpt_frames
    last, length = last_start(n, frontend), frontend.n_samples(needed) / frontend.sample_rate
    if last < 0:
        raise AudioError(f"{audio}: {n / frontend.sample_rate:.2f} s, an excerpt needs {length:.2f} s")
    frame = round(start * frontend.frame_rate) if math.isfinite(start) else -1
    if not 0 <= frame <= n_frames - needed:
        raise AudioError(
            f"{audio}: start={start}: an excerpt of {length:.2f} s begins at 0 to {last:.2f} s of the track"
        )
    first = frame * frontend.hop
    return slice(first, first + frontend.n_samples(needed))


def last_start(n: int, frontend: FrontEnd) -> float:
    """The second at which the last excerpt of a track of n samples begins; below 0 if the track is too short."""
    return (frontend.n_frames(n) - frontend.excerpt_frames) / frontend.frame_rate


def is_vocal(track: Track, time: float) -> bool:
    """Whether the labels say that somebody sings at a time in seconds."""
    return any(segment.vocal and segment.start <= time < segment.end for segment in track.segments)


def hop_frames(hop: float | None, frontend: FrontEnd) -> int:
    """Frames between the excerpts of a track. hop: in seconds; None: `HOP` frames. Raises: ConfigError.

    Most methods score the middle of an excerpt higher than its ends. At a hop of half an excerpt the merged map showed
    that as a grid: up to two thirds of the salience's variation over time followed the position in the hop; at `HOP`,
    4 %.
    """
    length = frontend.excerpt_frames
    frames = min(HOP, length // 4) if hop is None else hop * frontend.frame_rate
    if not 0.5 < frames <= length + 0.5:
        shortest, longest = (n / frontend.frame_rate for n in (1, length))
        raise ConfigError(f"hop={hop}: expected {math.ceil(100 * shortest) / 100} to {longest:.2f} s")
    return round(frames)


class AudioExplainer:
    """Explains excerpts of audio files, and whole files, as the explainer's classifier hears them.

    Arguments and results are on the CPU, and so is the front end, which computes in float64. Only the networks move.

    frontend: from samples to log-mel; explainer: its classifier standardises its own input

    >>> explainer = AudioExplainer(frontend, FeatureInversion(classifier, inverter))  # doctest: +SKIP
    >>> explainer.explain_excerpt(track_at(Path("song.mp3")), start=10).mask.mean()  # doctest: +SKIP
    """

    def __init__(self, frontend: FrontEnd, explainer: Explainer) -> None:
        self.frontend, self.explainer, self.device = frontend, explainer, torch.device("cpu")

    def to(self, device: torch.device | str) -> AudioExplainer:
        """Move the networks to a device."""
        self.explainer.to(device)
        self.device = torch.device(device)
        return self

    @torch.no_grad()
    def explain_excerpt(
        self, track: Track, start: float, points: Points = (), sound: Sound | None = None
    ) -> ExcerptResult:
        """Explain the excerpt that begins at `start` seconds.

        points: further thresholds, or areas, at which the explanation is evaluated; sound: `read_track(track)` if it
        has been read already
        Raises: AudioError, CorpusError; ScoreError if a score is not finite.
        """
        sound, rate = sound or read_track(track), self.frontend.sample_rate
        span = excerpt_span(sound.length(rate), start, self.frontend, track.audio)
        samples, source_span = sound.mono(rate, span), sound.source_span(span, rate)
        explanation = self.explain_samples(samples)
        starts, stems = [span.start // self.frontend.hop], self._stems(track, samples, span)

        def kept(cut: Explanation) -> Sound:
            return self._kept(sound, cut.mask[0], source_span)

        return ExcerptResult(
            explanation=explanation,
            start=start,
            sound=sound.cut(source_span),
            kept=kept(explanation),
            samples=sound.cut(source_span).mono(rate).numpy(),
            curve=self._curve(explanation, points, lambda cut: self._as_sound(kept(cut), explanation)),
            **self._shared(track, explanation.excerpts[0], explanation.mask[0].numpy(), starts, stems),
        )

    @torch.no_grad()
    def explain_track(
        self, track: Track, hop: float | None = None, points: Points = (), sound: Sound | None = None
    ) -> TrackResult:
        """Explain a whole track by an excerpt every `hop` seconds. hop: None for `HOP` frames; the rest as in
        `explain_excerpt`. Only the explainer's own mask is turned into sound.

        Raises: AudioError, CorpusError; ConfigError for a hop outside its range; ScoreError if a score is not finite.
        """
        sound, frames = sound or read_track(track), hop_frames(hop, self.frontend)
        samples = sound.mono(self.frontend.sample_rate)
        excerpt_span(len(samples), 0, self.frontend, track.audio)  # raises if the track is too short
        standardised = self._standardised(samples)
        explanation = explain_track(self.explainer, standardised, self.frontend.excerpt_frames, frames).to("cpu")
        stems = self._stems(track, samples, slice(0, len(samples)))
        kept = self._kept(sound, explanation.mask)
        as_sound = self._as_sound(kept, explanation)
        return TrackResult(
            explanation=explanation,
            timeline=self._timeline(standardised),
            sound=sound,
            kept=kept,
            samples=samples.numpy(),
            curve=self._curve(explanation, points, lambda cut: as_sound if cut is explanation else None),
            **self._shared(track, explanation.track, explanation.mask.numpy(), explanation.starts.tolist(), stems),
        )

    def explain_samples(self, samples: Tensor) -> Explanation:
        """Explain the samples of one excerpt, [n] at the front end's rate; a batch of one."""
        return self.explainer(self._standardised(samples)[None]).to("cpu")

    @torch.no_grad()
    def predict(self, samples: Tensor, starts: Tensor | None = None) -> Tensor:
        """Probability of singing in samples [n]: in the one excerpt that they are, [1], or in those that begin at the
        frames `starts` [N], [N]."""
        standardised, classifier = self._standardised(samples), self.explainer.classifier
        if starts is None:
            return classifier(standardised[None]).cpu()
        return probabilities(classifier, standardised, starts).cpu()

    def _standardised(self, samples: Tensor) -> Tensor:
        return self.explainer.classifier.standardise(self.frontend.of_track(samples).to(self.device))

    def _kept(self, sound: Sound, mask: Tensor, span: slice | None = None) -> Sound:
        """What a mask keeps of a sound, or of the excerpt at a span of it, at its own rate."""
        return replace(sound, samples=masked_sound(sound.samples, mask.float(), self.frontend, sound.rate, span))

    def _as_sound(self, kept: Sound, explanation: Explanation | TrackExplanation) -> AsSound:
        samples = kept.mono(self.frontend.sample_rate)
        starts = explanation.starts if isinstance(explanation, TrackExplanation) else None
        probability = self.predict(samples, starts)
        flipped = (probability > explanation.decision) != explanation.vocal
        return AsSound(samples.numpy(), probability.numpy(), flipped.numpy())

    def _curve(
        self, explanation: AnyExplanation, points: Points, as_sound: Callable[[AnyExplanation], AsSound | None]
    ) -> Curve:
        """The explanation at the points and at the explainer's own mask. as_sound: None where it is not played"""
        cuts, has_areas = {position(point): point for point in points}, self._has_areas(points)
        opening, evaluated = self._opening(explanation, has_areas), []
        for place in sorted({*cuts, opening}):
            cut = explanation if place == opening else self.at(explanation, cuts[place])
            after, flipped = cut.masked_probability.numpy(), cut.flipped.numpy()
            evaluated.append(Point(place, float(cut.threshold), int(cut.mask.sum()), after, flipped, as_sound(cut)))
        return Curve(tuple(evaluated), has_areas, opening)

    def _has_areas(self, points: Points) -> bool:
        """Whether positions are areas: as the points are; without points, as the explainer is cut."""
        if points:
            return isinstance(points[0], Area)
        cuts = (self.explainer.choice, as_choice(self.explainer.default_threshold))
        return not any(isinstance(cut, Fixed) for cut in cuts)

    def _opening(self, explanation: Explanation | TrackExplanation, has_areas: bool) -> float:
        """The position of the explainer's own mask. A threshold is 0 only if every bin is salient."""
        choice, mask = self.explainer.choice, explanation.mask.numpy()
        salient = mask if self.explainer.keep == "salient" else ~mask
        if has_areas:
            return choice.area if isinstance(choice, Area) else float(salient.mean())
        return choice.shown(float(explanation.threshold)) or (0.0 if salient.all() else LEAST)

    def at(self, explanation: AnyExplanation, threshold: float | Area) -> AnyExplanation:
        """The same explanation with the mask of another threshold."""
        moved = explanation.to(self.device)
        if isinstance(moved, TrackExplanation):
            return at(self.explainer, moved, threshold).to("cpu")
        return self.explainer.at(moved, threshold).to("cpu")

    def _timeline(self, standardised: Tensor) -> Timeline:
        length = self.frontend.excerpt_frames
        starts = torch.arange(0, len(standardised) - length + 1, TIMELINE_HOP)
        probability = probabilities(self.explainer.classifier, standardised, starts)
        return Timeline(((starts + length / 2) / self.frontend.frame_rate).numpy(), probability.cpu().numpy())

    def _shared(
        self,
        track: Track,
        standardised: Tensor,
        mask: np.ndarray,
        starts: list[int],
        stems: tuple[np.ndarray, np.ndarray] | None,
    ) -> dict[str, Any]:
        """The fields that both kinds of result fill alike. starts: first frames of the excerpts in the track. A label
        belongs to the middle of an excerpt."""
        explainer, frontend = self.explainer, self.frontend
        mean, std = (getattr(explainer.classifier, name).to(standardised) for name in ("mean", "std"))
        logmel = (standardised * std + mean).numpy()
        times = [(start + frontend.excerpt_frames // 2) / frontend.frame_rate for start in starts]
        voice = None
        if stems is not None:
            voice = Voice(voice_bins(*stems), voice_share(*stems, np.ones_like(mask)), voice_share(*stems, mask))
        return {
            "track": track,
            "frontend": frontend,
            "method": Method(explainer.name, explainer.score_name, explainer.choice, explainer.keep, explainer.fill),
            "logmel": logmel,
            "region": region(logmel, mask, frontend.band_edges().numpy(), frontend.frame_rate),
            "labelled": np.array([is_vocal(track, time) for time in times]) if track.segments else None,
            "voice": voice,
        }

    def _stems(self, track: Track, samples: Tensor, span: slice) -> tuple[np.ndarray, np.ndarray] | None:
        """Log-mels of the voice and of everything else in samples [n], a span of a track; None: no voice is known."""
        if track.vocals is None:
            return None
        try:
            voice = read(track.vocals, mono=True, number=track.voice_number).mono(self.frontend.sample_rate, span)
        except AudioError as error:
            log.warning(f"the voice is left out: {error}")
            return None
        voice = F.pad(voice, (0, len(samples) - len(voice)))
        return self.frontend.of_track(voice).numpy(), self.frontend.of_track(samples - voice).numpy()
