"""The voice of an excerpt, and everything else in it, as the classifier would hear them alone."""

from __future__ import annotations

import logging
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from svdx.audio.logmel import FrontEnd
from svdx.audio.reading import decode
from svdx.errors import AudioError

log = logging.getLogger(__name__)


class Pair(NamedTuple):
    """Log-mel of the voice and of everything else, [frames, bands], not standardised."""

    voice: np.ndarray
    accompaniment: np.ndarray


class Stems:
    """A callable from an excerpt's number to its `Pair`, None where the voice of its track is not known.

    Everything else is the mix without the voice, which has the gain that it has in the mix. A track is decoded once, if
    its excerpts are asked for one after the other.

    excerpts: `svdx.data.excerpts.Excerpts`
    """

    def __init__(self, excerpts: Dataset, frontend: FrontEnd) -> None:
        self.excerpts, self.frontend = excerpts, frontend
        self._track, self._samples = -1, None

    def __call__(self, number: int) -> Pair | None:
        track = int(self.excerpts.track_of[number])
        if track != self._track:
            self._track, self._samples = track, self._decode(track)
        if self._samples is None:
            return None
        first = int(self.excerpts.start_of[number]) * self.frontend.hop
        span = slice(first, first + self.frontend.n_samples(self.frontend.excerpt_frames))
        return Pair(*(self.frontend.of_track(samples[span]).numpy() for samples in self._samples))

    def _decode(self, number: int) -> tuple[Tensor, Tensor] | None:
        track, rate = self.excerpts.tracks[number], self.frontend.sample_rate
        if track.vocals is None:
            return None
        mix = decode(track.audio, rate)
        try:
            voice = decode(track.vocals, rate, track.voice_number)
        except AudioError as error:
            log.warning(f"not localised: {error}")
            return None
        voice = F.pad(voice, (0, len(mix) - len(voice)))
        return voice, mix - voice


def raw(pairs: list[Pair | None], frames: int, bands: int) -> Tensor:
    """What is left without the voice, [B, frames, bands]; zeros where it is not known."""
    nothing = np.zeros((frames, bands), np.float32)
    return torch.from_numpy(np.stack([nothing if pair is None else pair.accompaniment for pair in pairs]))
