"""Audio files to stored log-mels, against decoding alone; the log-mel step, against float64 throughout."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import torch

from benchmarks.row import Row, in_turn, milliseconds, one_core
from svdx.audio.logmel import FrontEnd
from svdx.audio.reading import decode
from svdx.corpora.track import Track
from svdx.data.cache import MelStore

SECONDS, FILES, RATE = 120, 8, 44100
FORMATS = {"ogg": dict(format="OGG", subtype="VORBIS"), "mp3": dict(format="MP3"), "wav": dict(format="WAV")}


def music(seconds: int) -> np.ndarray:
    """Stereo at 44.1 kHz, about as hard to decode as music: changing chords and pink noise."""
    generator = np.random.default_rng(0)
    time = np.arange(seconds * RATE) / RATE
    notes = 220 * 2 ** (generator.integers(0, 24, (seconds, 4)) / 12)
    tones = sum(np.sin(2 * np.pi * np.repeat(note, RATE) * time) / k for k, note in enumerate(notes.T, 1))
    spectrum = np.fft.rfft(generator.standard_normal((2, len(time))))
    noise = np.fft.irfft(spectrum / np.sqrt(1 + np.arange(spectrum.shape[1])))
    return (0.1 * tones + 0.1 * noise / np.abs(noise).max()).T.astype(np.float32)


def rows(frontend: FrontEnd) -> list[Row]:
    with tempfile.TemporaryDirectory() as place:
        paths = [_from_file(frontend, Path(place), ending) for ending in FORMATS]
        return [*paths, _store(frontend, Path(place)), _logmel(frontend)]


def _from_file(frontend: FrontEnd, place: Path, ending: str) -> Row:
    path = _written(place / f"0.{ending}", music(SECONDS))
    with one_core():
        ours, floor = in_turn(
            lambda: frontend.of_track(decode(path, frontend.sample_rate)), lambda: soundfile.read(path), times=3
        )
    what = f"{SECONDS} s of {ending}, 44.1 kHz stereo, to log-mel on one core; baseline: soundfile.read alone"
    return Row(what, milliseconds(ours, 0), milliseconds(floor, 0), ours / floor, "at most 2")


def _written(path: Path, sound: np.ndarray) -> Path:
    with soundfile.SoundFile(path, "w", RATE, 2, **FORMATS[path.suffix[1:]]) as file:
        for second in np.split(sound, SECONDS):  # libsndfile's ogg encoder crashes on large blocks
            file.write(second)
    return path


def _store(frontend: FrontEnd, place: Path) -> Row:
    """Files of different loudness: the store computes equal files only once."""
    sound = music(SECONDS)
    for number in range(FILES):
        _written(place / f"{number}.ogg", sound * (1 - number / 100))
    tracks = [Track(str(number), place / f"{number}.ogg", ()) for number in range(FILES)]

    def prepare(workers: int) -> None:
        shutil.rmtree(place / "store", ignore_errors=True)
        MelStore(place / "store", frontend, workers).prepare(tracks)

    two, one = in_turn(lambda: prepare(2), lambda: prepare(1), times=2)
    what = f"{FILES} files of {SECONDS} s of ogg to the store, two workers; baseline: one"
    return Row(what, f"{two:.2f} s", f"{one:.2f} s", one / two, "at least 1.7")


def _logmel(frontend: FrontEnd) -> Row:
    samples = torch.randn(180 * frontend.sample_rate)
    with one_core():
        ours, baseline = in_turn(lambda: frontend.of_track(samples), lambda: frontend(samples.double()))
    what = "log-mel of 180 s of samples on one core, exact to 1e-6; baseline: float64 throughout, all at once"
    return Row(what, milliseconds(ours, 0), milliseconds(baseline, 0), baseline / ours, "80 ms, librosa's time")
