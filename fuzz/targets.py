"""How svdx reads each kind of file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from fuzz.seeds import BANDS, FRAMES, RATE
from svdx.audio.reading import declared_length, decode
from svdx.corpora import Jamendo
from svdx.corpora.file_lists import by_stem, find_audio, read_lines, refuse_repeats
from svdx.corpora.labels import read_change_points, read_lab
from svdx.corpora.stems import vocal_segments
from svdx.errors import SvdxError
from svdx.models import SVDNet, load_classifier, load_inverter
from svdx.models.standardisation import load_standardisation
from svdx.training.checkpoints import Checkpoints, latest_valid_checkpoint


def _attempt(read: Callable[[], object]) -> None:
    """A result and an error of svdx are both right."""
    with suppress(SvdxError):
        read()


def read_audio(path: Path) -> None:
    """Read an audio file, as a track and as a vocal stem."""
    for read in (lambda: declared_length(path, RATE), lambda: decode(path, RATE), lambda: vocal_segments(path)):
        _attempt(read)


def read_list(path: Path) -> None:
    """Read a list of tracks."""
    lines = read_lines(path)
    refuse_repeats([lines])
    audio = by_stem([Path("audio/one.ogg"), Path("audio/two é.mp3")])
    for line in lines:
        find_audio(line, audio, "audio")


def read_weights(path: Path) -> None:
    """Read weights of either network, and a checkpoint to resume from."""
    _attempt(lambda: load_classifier(path))
    _attempt(lambda: load_inverter(path, SVDNet(FRAMES, BANDS)))
    if path.suffix == ".ckpt":
        last = path.rename(path.with_name("last.ckpt"))
        _attempt(lambda: latest_valid_checkpoint(last.parent))
        Checkpoints().load_checkpoint(last)


def read_arrays(path: Path) -> None:
    """Read a standardisation, and an .npz also as weights of the original program."""
    _attempt(lambda: load_standardisation(path, 80))
    if path.suffix == ".npz":
        _attempt(lambda: load_classifier(path, path))
        load_inverter(path, SVDNet(FRAMES, BANDS))


def read_archive(path: Path) -> None:
    """Read an archive of Jamendo."""
    try:
        Jamendo(path).split("train")
    finally:
        for entry in path.parent.iterdir():
            if entry != path:
                shutil.rmtree(entry, ignore_errors=True)


TARGETS: dict[str, Callable[[Path], object]] = {
    **dict.fromkeys(("wav", "ogg", "mp3", "flac"), read_audio),
    "lab": read_lab,
    "txt": lambda path: read_change_points(path, 10.0),
    "list": read_list,
    "csv": read_arrays,
    "npz": read_arrays,
    "ckpt": read_weights,
    "safetensors": read_weights,
    "zip": read_archive,
}
