"""A corpus in a plain folder, for your own music; the layout of Jamendo."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from svdx.corpora.corpus import SPLITS, Corpus
from svdx.corpora.file_lists import by_stem, entries_of, find_audio, is_audio, read_lines, refuse_repeats, stem
from svdx.corpora.labels import is_lab, read_lab
from svdx.corpora.track import Track
from svdx.errors import CorpusError


class Folder(Corpus):
    """Music in this layout:

    ```
    audio/      one file per track, in any format of `svdx.corpora.file_lists.AUDIO`: `My Song.ogg`
    labels/     `My Song.lab`: on each line `start end sing` or `start end nosing`, in seconds
    filelists/  `train`, `valid`, `test`: one file name of audio/ per line
    vocals/     optional: the isolated voice at its level in the mix, `My Song.wav`
    ```
    """

    name = "folder"
    contents = "audio/, labels/ and filelists/{train,valid,test}"
    empty_hint = "add file names of audio/ to its list in filelists/"

    def _tracks(self, split: str) -> tuple[Track, ...]:
        path = self._list(split)
        if not path.is_file():
            similar = [entry.name for entry in entries_of(path.parent) if entry.stem == split]
            hint = f"rename {similar[0]}" if similar else "write it, with one file name of audio/ per line"
            raise CorpusError(f"{path} is missing: {hint}")
        if not (self.root / "audio").is_dir():
            raise CorpusError(f"{self.root / 'audio'} is missing: put the audio files there")
        lists = {name: read_lines(self._list(name)) for name in SPLITS if self._list(name).is_file()}
        refuse_repeats(lists.values())
        audio = by_stem(filter(is_audio, entries_of(self.root / "audio")))
        vocals = by_stem(filter(is_audio, entries_of(self.root / "vocals")))
        labels = by_stem(filter(is_lab, entries_of(self.root / "labels")))
        mixes = [find_audio(line, audio, str(self.root / "audio")) for line in lists[split]]
        return tuple(self._track(mix, labels, vocals) for mix in mixes)

    def _track(self, mix: Path, labels: Mapping[str, list[Path]], vocals: Mapping[str, list[Path]]) -> Track:
        name = stem(mix)
        if name not in labels:
            raise CorpusError(
                f"{self.root / 'labels' / name}.lab is missing: write it, 'start end sing' or 'start end nosing' "
                "on each line, times in seconds"
            )
        label, *others = labels[name]
        if others:
            raise CorpusError(f"{label} and {others[0].name} both label {name!r}: keep only one of them")
        voices = vocals.get(name, [])
        if len(voices) > 1:
            raise CorpusError(f"{voices[0]} and {voices[1].name} are both the voice of {name!r}: keep only one of them")
        return Track(name, mix, read_lab(label), voices[0] if voices else None, labels=label)

    def _list(self, split: str) -> Path:
        return self.root / "filelists" / split
