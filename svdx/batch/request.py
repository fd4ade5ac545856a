"""What is asked of a track, or of each of many: how it is explained, and what is written of it."""

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
from svdx.explain.listener import Listener
from svdx.explain.thresholds import Choice
from svdx.files.checksum import file_sha256
from svdx.models.weights import fingerprint
from svdx.report.excerpt import document_excerpt
from svdx.report.parts import Points
from svdx.report.track import document_track


@dataclass
class Request:
    """A callable: a track and a directory → the files of its explanation in that directory, and what they say.

    start: seconds at which an excerpt begins, or "all": the whole track, by an excerpt every `hop` seconds (None: see
        `svdx.explain.listener.hop_frames`)
    thresholds: numbers, or areas, for which the page says whether labels are kept; sounds: write the WAV files
    """

    listener: Listener
    start: float | str
    hop: float | None
    thresholds: Points
    sounds: bool = True

    def __call__(self, track: Track, directory: Path) -> dict[str, str]:
        """Raises: AudioError, ConfigError; ScoreError, which names the file."""
        try:
            if self.start == "all":
                return document_track(self.listener, track, self.hop, self.thresholds, directory, self.sounds)
            return document_excerpt(self.listener, track, self.start, self.thresholds, directory, self.sounds)
        except ScoreError as error:
            raise ScoreError(f"{track.audio}: {error}", error.number) from error

    def to(self, device: torch.device | str) -> Request:
        """Move the networks to a device."""
        self.listener.to(device)
        return self

    def question(self, track: Track) -> dict[str, Any]:
        """All that the answer depends on, as JSON has it: the files, which networks, every setting, svdx's version.

        Raises: AudioError where a file is not there.
        """
        labels = hashlib.sha256(repr(track.segments).encode()).hexdigest()[:16] if track.segments else None
        voice = identity(track.vocals) if track.vocals else None
        return {"audio": identity(track.audio), "voice": voice, "labels": labels, **self._settings}

    @cached_property
    def _settings(self) -> dict[str, Any]:
        explainer = {name: plain(part) for name, part in vars(self.listener.explainer).items() if name[0] != "_"}
        return {
            "svdx": version("svdx"),
            "start": self.start,
            "hop": self.hop,
            "thresholds": [plain(threshold) for threshold in self.thresholds],
            "sounds": self.sounds,
            "explainer": {"name": self.listener.explainer.name, **explainer},
            "frontend": self.listener.frontend.settings,
        }


def plain(part: Any) -> Any:
    """What an explainer has, as JSON has it."""
    if isinstance(part, nn.Module):
        return fingerprint(part, buffers=True)
    if isinstance(part, Tensor):
        return hashlib.sha256(part.cpu().contiguous().numpy().tobytes()).hexdigest()[:16]
    return {"choice": part.name, **asdict(part)} if isinstance(part, Choice) else part


def identity(path: Path) -> dict[str, Any]:
    """What tells a file from another, and from itself when it has been changed."""
    try:
        expect_audio_file(path)
        return {"path": str(path.absolute()), "sha256": file_sha256(path)}
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror})") from error
