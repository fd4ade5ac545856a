"""What svdx does with a file of each kind at its border."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fuzz.seeds import BANDS, FRAMES, RATE
from svdx.audio.reading import decode, promised_length
from svdx.corpora import Jamendo
from svdx.corpora.file_lists import by_stem, find_audio, read_lines, refuse_repeats
from svdx.corpora.labels import read_change_points, read_lab
from svdx.corpora.stems import vocal_segments
from svdx.errors import SvdxError
from svdx.models import SVDNet, load_classifier, load_inverter
from svdx.models.standardisation import load_standardisation
from svdx.training.checkpoints import Checkpoints, newest_sound


def _either(ask: Callable[[], object]) -> None:
    """A result or an error of svdx: both are right."""
    with suppress(SvdxError):
        ask()


def hear(path: Path) -> None:
    """An audio file, as a track and as a voice."""
    for ask in (lambda: promised_length(path, RATE), lambda: decode(path, RATE), lambda: vocal_segments(path)):
        _either(ask)


def follow(path: Path) -> None:
    """A list of tracks."""
    lines = read_lines(path)
    refuse_repeats([lines])
    audio = by_stem([Path("audio/one.ogg"), Path("audio/two é.mp3")])
    for line in lines:
        find_audio(line, audio, "audio")


def weigh(path: Path) -> None:
    """Weights, of either network and as those to go on from."""
    _either(lambda: load_classifier(path))
    _either(lambda: load_inverter(path, SVDNet(FRAMES, BANDS)))
    if path.suffix == ".ckpt":
        last = path.rename(path.with_name("last.ckpt"))
        _either(lambda: newest_sound(last.parent))
        Checkpoints().load_checkpoint(last)


def standardise(path: Path) -> None:
    """A table of mean and standard deviation, and where it is an .npz, as the original's weights too."""
    _either(lambda: load_standardisation(path, 80))
    if path.suffix == ".npz":
        _either(lambda: load_classifier(path, path))
        load_inverter(path, SVDNet(FRAMES, BANDS))


def unpack(path: Path) -> None:
    """An archive of Jamendo."""
    try:
        Jamendo(path).split("train")
    finally:
        for left in path.parent.iterdir():
            if left != path:
                shutil.rmtree(left, ignore_errors=True)


TARGETS: dict[str, Callable[[Path], object]] = {
    **dict.fromkeys(("wav", "ogg", "mp3", "flac"), hear),
    "lab": read_lab,
    "txt": lambda path: read_change_points(path, 10.0),
    "list": follow,
    "csv": standardise,
    "npz": standardise,
    "ckpt": weigh,
    "safetensors": weigh,
    "zip": unpack,
}
