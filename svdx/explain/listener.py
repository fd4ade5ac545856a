"""A classifier with its ears on: front end, networks and explainer as one object, for notebooks and for explain.py."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from svdx.audio.logmel import FrontEnd
from svdx.audio.masking import masked_sound
from svdx.audio.reading import Sound, decode, read
from svdx.errors import AudioError, ConfigError, WeightsError
from svdx.explain import Explainer, Explanation, FeatureInversion, TrackExplanation
from svdx.explain.thresholds import Choice
from svdx.explain.tracks import at, explain_track, probabilities
from svdx.models.weights import load_classifier, load_inverter

CLASSIFIER, INVERTER, FRONTEND = "classifier.safetensors", "inverter.safetensors", "frontend.json"
HOP = 18  # frames; excerpts a multiple of 9 apart share all of their convolutions
Either = TypeVar("Either", Explanation, TrackExplanation)


def cut_excerpt(audio: str | Path, start: float, frontend: FrontEnd) -> Tensor:
    """The excerpt that begins at the frame nearest to `start` seconds, [n] float32. Raises: AudioError."""
    sound = read(audio, mono=True)
    span = excerpt_span(sound.length(frontend.sample_rate), start, frontend, audio)
    return sound.mono(frontend.sample_rate, span)


def excerpt_span(n: int, start: float, frontend: FrontEnd, audio: str | Path) -> slice:
    """Which of a track's n samples are the excerpt that begins at the frame nearest to `start` seconds.

    audio: what to call the track in errors. Raises: AudioError.
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
    """The second at which the last excerpt of a track of n samples begins; below 0 where the track is shorter."""
    return (frontend.n_frames(n) - frontend.excerpt_frames) / frontend.frame_rate


def hop_frames(hop: float | None, frontend: FrontEnd) -> int:
    """Frames of a hop in seconds between the excerpts of a track; None: `HOP`. Raises: ConfigError.

    Most methods find more in the middle of an excerpt than at its ends. At half an excerpt that showed as a grid in the
    merged map: up to two thirds of the salience's changes over time went with the place in the hop; at `HOP`, 4 %.
    """
    length = frontend.excerpt_frames
    frames = min(HOP, length // 4) if hop is None else hop * frontend.frame_rate
    if not 0.5 < frames <= length + 0.5:
        shortest, longest = (n / frontend.frame_rate for n in (1, length))
        raise ConfigError(f"hop={hop}: expected {math.ceil(100 * shortest) / 100} to {longest:.2f} s")
    return round(frames)


class Listener:
    """Hears an excerpt of an audio file as the explainer's classifier does, and explains it.

    What a listener takes and gives is on the CPU, and so is the front end, which computes in float64; only the networks
    move.

    frontend: from samples to log-mel; explainer: over a classifier that standardises its own input
    """

    def __init__(self, frontend: FrontEnd, explainer: Explainer) -> None:
        self.frontend, self.explainer, self.device = frontend, explainer, torch.device("cpu")

    def to(self, device: torch.device | str) -> Listener:
        """Move the networks to a device, from the CPU."""
        self.explainer.to(device)
        self.device = torch.device(device)
        return self

    def listen(self, samples: Tensor) -> Explanation:
        """Explain one excerpt, samples [n]; the explanation's batch has one element."""
        return self.explainer(self._excerpt(samples)).to("cpu")

    def _excerpt(self, samples: Tensor) -> Tensor:
        return self._standardised(samples)[None]

    def _standardised(self, samples: Tensor) -> Tensor:
        return self.explainer.classifier.standardise(self.logmel(samples).to(self.device))

    def logmel(self, samples: Tensor) -> Tensor:
        """samples [n] → log-mel [frames, bands], float32, computed in float64."""
        return self.frontend.of_track(samples)

    def raw(self, standardised: Tensor) -> Tensor:
        """A standardised log-mel as it was before, [..., bands]."""
        classifier = self.explainer.classifier
        return standardised * classifier.std.to(standardised) + classifier.mean.to(standardised)

    def listen_track(self, samples: Tensor, hop: float | None = None) -> TrackExplanation:
        """Explain a whole track, samples [n], by an excerpt every `hop` seconds; None: see `hop_frames`."""
        frames = hop_frames(hop, self.frontend)
        track = self._standardised(samples)
        return explain_track(self.explainer, track, self.frontend.excerpt_frames, frames).to("cpu")

    def at(self, explanation: Either, threshold: float | Choice) -> Either:
        """The same explanation with the mask of another threshold."""
        there = explanation.to(self.device)
        if isinstance(there, TrackExplanation):
            return at(self.explainer, there, threshold).to("cpu")
        return self.explainer.at(there, threshold).to("cpu")

    @torch.no_grad()
    def hear_track(self, samples: Tensor, starts: Tensor) -> Tensor:
        """The classifier's probability of singing in the excerpts of a sound [n] from frames `starts` [N], [N]."""
        return self.probabilities(self._standardised(samples), starts)

    @torch.no_grad()
    def probabilities(self, track: Tensor, starts: Tensor) -> Tensor:
        """The same of a standardised track, [T, bands]."""
        return probabilities(self.explainer.classifier, track.to(self.device), starts).cpu()

    def explain(self, audio: str | Path, start: float) -> Explanation:
        """Explain the excerpt of an audio file that begins at `start` seconds. Raises: AudioError, ConfigError."""
        if not isinstance(start, Real):
            raise ConfigError(f"start={start!r}: expected seconds; explain_track(audio) explains the whole track")
        return self.listen(cut_excerpt(audio, start, self.frontend))

    def explain_track(self, audio: str | Path, hop: float | None = None) -> TrackExplanation:
        """Explain a whole audio file by an excerpt every `hop` seconds; None: see `hop_frames`."""
        samples = decode(audio, self.frontend.sample_rate)
        excerpt_span(len(samples), 0, self.frontend, audio)  # long enough?
        return self.listen_track(samples, hop)

    def kept_sound(self, track: Sound, explanation: Explanation | TrackExplanation, span: slice | None = None) -> Sound:
        """What the explanation's mask keeps of a track, or of the excerpt at a span of its samples, at its own rate."""
        mask = explanation.mask[0] if isinstance(explanation, Explanation) else explanation.mask
        return replace(track, samples=masked_sound(track.samples, mask.float(), self.frontend, track.rate, span))

    @torch.no_grad()
    def hear(self, samples: Tensor) -> float:
        """The classifier's probability of singing in the sound of one excerpt, [n]."""
        return float(self.explainer.classifier(self._excerpt(samples))[0])


def load(directory: str | Path, inverter: str = INVERTER, **options) -> Listener:
    """A listener from a directory of trained models, cache/models/…, as train.py leaves it.

    inverter: file name of the one to use; those of other layers than FC8 are called inverter-mp6.safetensors
    options: of `FeatureInversion`: threshold or area, keep, fill. Raises: WeightsError.

    >>> listener = load("cache/models/…", threshold=0.6)  # doctest: +SKIP
    >>> listener.explain("song.mp3", start=10).area  # doctest: +SKIP
    """
    directory = Path(directory)
    try:
        frontend = FrontEnd(**json.loads((directory / FRONTEND).read_text()))
    except (OSError, ValueError, TypeError) as error:
        raise WeightsError(f"{directory}: not a directory of trained models ({error})") from error
    classifier = load_classifier(directory / CLASSIFIER)
    network = load_inverter(directory / inverter, classifier)
    return Listener(frontend, FeatureInversion(classifier, network, **options))
