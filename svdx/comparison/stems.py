"""The voice of an excerpt and its accompaniment, as the classifier would get each of them alone."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from svdx.audio.logmel import FrontEnd
from svdx.audio.reading import decode
from svdx.corpora.track import Track
from svdx.data.excerpts import Excerpts
from svdx.errors import AudioError

log = logging.getLogger(__name__)


class Pair(NamedTuple):
    """Log-mel of the voice and of everything else, [frames, bands], not standardised."""

    voice: np.ndarray
    accompaniment: np.ndarray


class Stems:
    """A callable from an excerpt's number to its `Pair`, None if the voice of its track is not known.

    The accompaniment is the mix minus the voice, which has the same gain as in the mix. A track is decoded once if all
    its excerpts are requested one after the other.
    """

    def __init__(self, excerpts: Excerpts, frontend: FrontEnd) -> None:
        self.excerpts, self.frontend = excerpts, frontend
        self._track = -1
        self._samples: tuple[Tensor, Tensor] | None = None  # of that track

    def __call__(self, number: int) -> Pair | None:
        track = int(self.excerpts.track_of[number])
        if track != self._track:
            self._track, self._samples = track, self._decode(self.excerpts.tracks[track])
        if self._samples is None:
            return None
        span = self.frontend.excerpt_samples(int(self.excerpts.start_of[number]))
        return Pair(*(self.frontend.of_track(samples[span]).numpy() for samples in self._samples))

    def _decode(self, track: Track) -> tuple[Tensor, Tensor] | None:
        if track.vocals is None:
            return None
        mix = decode(track.audio, self.frontend.sample_rate)
        try:
            voice = decode(track.vocals, self.frontend.sample_rate, track.voice_number)
        except AudioError as error:
            log.warning(f"no localisation: {error}")
            return None
        voice = F.pad(voice, (0, len(mix) - len(voice)))
        return voice, mix - voice


def accompaniments(pairs: list[Pair | None], frames: int, bands: int) -> Tensor:
    """The accompaniments, [B, frames, bands]; zeros if unknown."""
    unknown = np.zeros((frames, bands), np.float32)
    return torch.from_numpy(np.stack([unknown if pair is None else pair.accompaniment for pair in pairs]))
