"""What is computed and written for a track, or for each of many."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from svdx.audio.probe import expect_audio_file
from svdx.corpora.track import Track
from svdx.errors import AudioError, ScoreError
from svdx.explanation.audio_explainer import AudioExplainer, Points
from svdx.explanation.recording import Recording, read_recording
from svdx.explanation.results import ExcerptResult, TrackResult
from svdx.explanation.thresholds import Choice
from svdx.files.checksum import file_sha256
from svdx.models.weights import fingerprint
from svdx.report.files import write_result


@dataclass
class Request:
    """A callable: explains a track and writes the files of the explanation into a directory; returns its facts.

    start: seconds at which an excerpt begins, or "all": the whole track, by an excerpt every `hop` seconds (None: see
        `svdx.explanation.recording.hop_frames`)
    thresholds: thresholds or areas, the rows of the page's table; sounds: whether to write WAV files
    """

    explainer: AudioExplainer
    start: float | str
    hop: float | None
    thresholds: Points
    sounds: bool = True

    def __call__(self, track: Track, directory: Path) -> dict[str, str]:
        """Raises: AudioError, ConfigError, CorpusError; ScoreError, which names the file."""
        return write_result(self.explain(read_recording(track)), directory, self.sounds)

    def explain(self, recording: Recording) -> ExcerptResult | TrackResult:
        """The result for a track that has been read. Raises: the same."""
        try:
            if self.start == "all":
                return self.explainer.explain_track(recording, self.hop, self.thresholds)
            return self.explainer.explain_excerpt(recording, float(self.start), self.thresholds)
        except ScoreError as error:
            raise ScoreError(f"{recording.track.audio}: {error}", error.number) from error

    def to(self, device: torch.device | str) -> Request:
        """Move the networks to a device."""
        self.explainer.to(device)
        return self

    def key(self, track: Track) -> dict[str, Any]:
        """Everything that the result depends on, as JSON: the files, the networks, all settings and svdx's version.

        Raises: AudioError if a file is missing.
        """
        labels = hashlib.sha256(repr(track.segments).encode()).hexdigest()[:16] if track.segments else None
        voice = identity(track.vocals) if track.vocals else None
        return {"audio": identity(track.audio), "voice": voice, "labels": labels, **self._settings}

    @cached_property
    def _settings(self) -> dict[str, Any]:
        explainer = self.explainer.explainer
        options = {name: as_json(part) for name, part in vars(explainer).items() if name[0] != "_"}
        return {
            "svdx": version("svdx"),
            "start": self.start,
            "hop": self.hop,
            "thresholds": [as_json(threshold) for threshold in self.thresholds],
            "sounds": self.sounds,
            "explainer": {"name": explainer.name, **options},
            "frontend": self.explainer.frontend.settings,
        }


def as_json(part: Any) -> Any:
    """An attribute of an explainer as JSON: networks and tensors by their hash."""
    if isinstance(part, nn.Module):
        return fingerprint(part, buffers=True)
    if isinstance(part, Tensor):
        return hashlib.sha256(part.cpu().contiguous().numpy().tobytes()).hexdigest()[:16]
    return {"choice": part.name, **asdict(part)} if isinstance(part, Choice) else part


def identity(path: Path) -> dict[str, Any]:
    """Path and hash of a file. Raises: AudioError if it cannot be read."""
    try:
        expect_audio_file(path)
        return {"path": str(path.absolute()), "sha256": file_sha256(path)}
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error
