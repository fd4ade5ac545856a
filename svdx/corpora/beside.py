"""An audio file as a track: labels and voice, where they lie beside it as in a corpus."""

from __future__ import annotations

from pathlib import Path

from svdx.corpora.files import by_stem, entries_of, is_audio, stem
from svdx.corpora.labels import read_lab
from svdx.corpora.track import Track


def track_at(audio: Path) -> Track:
    """The track of an audio file; no segments and no vocals where none are found.

    Looked for: `../labels/NAME.lab` and `../vocals/NAME.*` of a file in a directory `audio` (the layout of `Folder`),
    `vocals.*` beside a file called `mixture` (the layout of `Stems`).
    """
    name = stem(audio)
    if name == "mixture":
        voices = by_stem(filter(is_audio, entries_of(audio.parent))).get("vocals", [])
        return Track(audio.parent.name, audio, (), voices[0] if len(voices) == 1 else None)
    if audio.parent.name != "audio":
        return Track(name, audio, ())
    root = audio.parent.parent
    labels = [path for path in entries_of(root / "labels") if path.suffix == ".lab" and stem(path) == name]
    voices = by_stem(filter(is_audio, entries_of(root / "vocals"))).get(name, [])
    return Track(name, audio, read_lab(labels[0]) if labels else (), voices[0] if len(voices) == 1 else None)
