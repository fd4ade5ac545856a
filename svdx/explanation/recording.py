"""A track that has been read, and where its excerpts are."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from pathlib import Path

from svdx.audio.logmel import FrontEnd
from svdx.audio.reading import Sound, read
from svdx.corpora.labels import check_time_unit
from svdx.corpora.track import Track
from svdx.errors import AudioError, ConfigError

HOP = 18  # frames; excerpts a multiple of 9 frames apart share all of their convolutions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Recording:
    """A track with its sound.

    sound: at the file's rate, in its channels; voice: the isolated voice, mono, at its own rate; None: not available
    """

    track: Track
    sound: Sound
    voice: Sound | None

    def excerpt_span(self, start: float, frontend: FrontEnd) -> slice:
        """Which samples, at the front end's rate, are the excerpt from `start` seconds; see `excerpt_span`."""
        return excerpt_span(self.sound.length(frontend.sample_rate), start, frontend, self.track.audio)

    def is_vocal(self, time: float) -> bool:
        """Whether the labels say that somebody sings at a time in seconds."""
        return any(segment.vocal and segment.start <= time < segment.end for segment in self.track.segments)


def read_recording(track: Track) -> Recording:
    """Read a track. A voice that cannot be read is left out with a warning.

    Raises: AudioError; CorpusError if the labels are in another unit than seconds.
    """
    sound, voice = read(track.audio), None
    check_time_unit(track, sound.samples.shape[-1] / sound.rate)
    if track.vocals is not None:
        try:
            voice = read(track.vocals, mono=True, number=track.voice_number)
        except AudioError as error:
            log.warning(f"the voice is left out: {error}")
    return Recording(track, sound, voice)


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
            f"{audio}: start={start:g}: an excerpt of {length:.2f} s begins at 0 to {last:.2f} s of the track"
        )
    return frontend.excerpt_samples(frame)


def last_start(n: int, frontend: FrontEnd) -> float:
    """The second at which the last excerpt of a track of n samples begins; below 0 if the track is too short."""
    return (frontend.n_frames(n) - frontend.excerpt_frames) / frontend.frame_rate


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
