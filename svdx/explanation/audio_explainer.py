"""From a recording to the result of explaining one of its excerpts, or all of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from svdx.audio.logmel import FrontEnd
from svdx.audio.masking import masked_sound
from svdx.audio.reading import Sound
from svdx.explanation.explainer import Explainer, Explanation
from svdx.explanation.recording import Recording, hop_frames
from svdx.explanation.region import region, voice_of
from svdx.explanation.results import AsSound, Curve, ExcerptResult, Method, Point, Timeline, TrackResult
from svdx.explanation.thresholds import LEAST, Area, Fixed, as_choice, position
from svdx.explanation.tracks import TrackExplanation, at, explain_track, probabilities

TIMELINE_HOP = 9  # frames
Points = Sequence[float] | Sequence[Area]
AnyExplanation = TypeVar("AnyExplanation", Explanation, TrackExplanation)


class AudioExplainer:
    """Explains excerpts of recordings, and whole recordings, as the explainer's classifier hears them.

    Arguments and results are on the CPU, and so is the front end, which computes in float64. Only the networks move.

    frontend: from samples to log-mel; explainer: its classifier standardises its own input

    >>> explainer = AudioExplainer(frontend, FeatureInversion(classifier, inverter))  # doctest: +SKIP
    >>> recording = read_recording(track_at(Path("song.mp3")))  # doctest: +SKIP
    >>> explainer.explain_excerpt(recording, start=10).mask.mean()  # doctest: +SKIP
    """

    def __init__(self, frontend: FrontEnd, explainer: Explainer) -> None:
        self.frontend, self.explainer, self.device = frontend, explainer, torch.device("cpu")

    def to(self, device: torch.device | str) -> AudioExplainer:
        """Move the networks to a device."""
        self.explainer.to(device)
        self.device = torch.device(device)
        return self

    @torch.no_grad()
    def explain_excerpt(self, recording: Recording, start: float, points: Points = ()) -> ExcerptResult:
        """Explain the excerpt that begins at `start` seconds.

        points: further thresholds, or areas, at which the explanation is evaluated
        Raises: AudioError if there is no such excerpt; ScoreError if a score is not finite.
        """
        span, rate = recording.excerpt_span(start, self.frontend), self.frontend.sample_rate
        source_span = recording.sound.source_span(span, rate)
        samples, whole = recording.sound.mono(rate, span), recording.sound.cut(source_span)
        explanation = self.explain_samples(samples)

        own = self._kept(recording.sound, explanation.mask[0], source_span)

        def as_sound(cut: Explanation) -> AsSound:
            kept = own if cut is explanation else self._kept(recording.sound, cut.mask[0], source_span)
            return self._as_sound(kept, explanation)

        return ExcerptResult(
            explanation=explanation,
            start=start,
            sound=whole,
            kept=own,
            samples=whole.mono(rate).numpy(),
            curve=self._curve(explanation, points, as_sound),
            **self._shared(recording, samples, span, explanation.excerpts[0], explanation.mask[0], [span.start]),
        )

    @torch.no_grad()
    def explain_track(self, recording: Recording, hop: float | None = None, points: Points = ()) -> TrackResult:
        """Explain a whole track by an excerpt every `hop` seconds.

        hop: None: `svdx.explanation.recording.HOP` frames; points: as in `explain_excerpt`, but only the explainer's
        own mask is turned into sound
        Raises: AudioError if the track is too short; ConfigError for a hop outside its range; ScoreError.
        """
        frames, length = hop_frames(hop, self.frontend), self.frontend.excerpt_frames
        recording.excerpt_span(0, self.frontend)  # raises if the track is too short
        samples = recording.sound.mono(self.frontend.sample_rate)
        standardised = self._standardised(samples)
        explanation = explain_track(self.explainer, standardised, length, frames).to("cpu")
        kept, starts = self._kept(recording.sound, explanation.mask), (explanation.starts * self.frontend.hop).tolist()
        as_sound, span = self._as_sound(kept, explanation), slice(0, len(samples))
        return TrackResult(
            explanation=explanation,
            timeline=self._timeline(standardised),
            sound=recording.sound,
            kept=kept,
            samples=samples.numpy(),
            curve=self._curve(explanation, points, lambda cut: as_sound if cut is explanation else None),
            **self._shared(recording, samples, span, explanation.track, explanation.mask, starts),
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

    def at(self, explanation: AnyExplanation, threshold: float | Area) -> AnyExplanation:
        """The same explanation with the mask of another threshold."""
        moved = explanation.to(self.device)
        if isinstance(moved, TrackExplanation):
            return at(self.explainer, moved, threshold).to("cpu")
        return self.explainer.at(moved, threshold).to("cpu")

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
        cuts: dict[float, float | Area] = {position(point): point for point in points}
        has_areas = self._has_areas(points)
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
        rules = (self.explainer.choice, as_choice(self.explainer.default_threshold))
        return not any(isinstance(rule, Fixed) for rule in rules)

    def _opening(self, explanation: Explanation | TrackExplanation, has_areas: bool) -> float:
        """The position of the explainer's own mask. A threshold is 0 only if every bin is salient."""
        choice, mask = self.explainer.choice, explanation.mask.numpy()
        salient = mask if self.explainer.keep == "salient" else ~mask
        if has_areas:
            return choice.area if isinstance(choice, Area) else float(salient.mean())
        return choice.shown(float(explanation.threshold)) or (0.0 if salient.all() else LEAST)

    def _timeline(self, standardised: Tensor) -> Timeline:
        length = self.frontend.excerpt_frames
        starts = torch.arange(0, len(standardised) - length + 1, TIMELINE_HOP)
        probability = probabilities(self.explainer.classifier, standardised, starts)
        return Timeline(((starts + length / 2) / self.frontend.frame_rate).numpy(), probability.cpu().numpy())

    def _shared(
        self, recording: Recording, samples: Tensor, span: slice, standardised: Tensor, mask: Tensor, starts: list[int]
    ) -> dict[str, Any]:
        """The fields that both kinds of result fill alike.

        samples, span: the explained part of the recording, at the front end's rate; standardised, mask: its log-mel and
        kept bins; starts: first samples of its excerpts in the recording. A label belongs to the middle of an excerpt.
        """
        explainer, frontend = self.explainer, self.frontend
        mean, std = (getattr(explainer.classifier, name).to(standardised) for name in ("mean", "std"))
        logmel, bins = (standardised * std + mean).numpy(), mask.numpy()
        centres = [(start // frontend.hop + frontend.excerpt_frames // 2) / frontend.frame_rate for start in starts]
        labelled = np.array([recording.is_vocal(time) for time in centres]) if recording.track.segments else None
        voice = None
        if recording.voice is not None:
            alone = recording.voice.mono(frontend.sample_rate, span)
            alone = F.pad(alone, (0, len(samples) - len(alone)))
            rest = frontend.of_track(samples - alone).numpy()
            voice = voice_of(frontend.of_track(alone).numpy(), rest, bins)
        return {
            "track": recording.track,
            "frontend": frontend,
            "method": Method(explainer.name, explainer.score_name, explainer.choice, explainer.keep, explainer.fill),
            "logmel": logmel,
            "region": region(logmel, bins, frontend.band_edges().numpy(), frontend.frame_rate),
            "labelled": labelled,
            "voice": voice,
        }
