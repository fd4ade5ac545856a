"""File names as strangers give them: on the command line, in directories of results, in pictures, pages and logs."""

import logging
import os

import numpy as np
import pytest
import soundfile
from matplotlib.figure import Figure

from svdx.app.cli import command
from svdx.audio.reading import read
from svdx.batch.collection import names
from svdx.errors import AudioError, printable
from svdx.report import figures as plots
from svdx.report.page import index_page, render

NAMES = {
    "spaces": " a  b ",
    "quotes": 'it\'s "so" `here`',
    "equals and commas": "a=b,c=d",
    "dollars": "$HOME ${oc.env:HOME} \\${x} $",
    "mathematics": "$\\frac{$",
    "line end": "two\nlines",
    "other scripts": "Ünï 音楽 🎵",
    "no UTF-8": os.fsdecode(b"caf\xe9"),
    "markup": "<script>alert(1)<",
    "brackets": "[x] {y: 1} (z)",
    "backslashes": "a\\b\\",
    "backslash and quote": "a\\'b\\\\'",
    "the rest": "~!@#%^&*;:?|+-",
    "escapes": "\x1b[31mred\x07",
}
named = pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)


@named
def test_audio_of_any_name_is_read_and_one_that_is_missing_is_named(tmp_path, name):
    path = tmp_path / f"{name}.wav"
    soundfile.write(os.fsencode(path), np.full(100, 0.5), 22050, format="WAV")
    assert read(path).samples.shape == (1, 100)
    path.write_bytes(b"?")
    with pytest.raises(AudioError, match="not readable as audio"):
        read(path)


@named
def test_a_figure_takes_any_title(name, monkeypatch, tmp_path):
    figure = Figure()
    monkeypatch.setattr(plots, "Figure", lambda **_: figure)
    with pytest.raises(AttributeError):  # what it should draw is missing; the title is there
        plots.track_figure(_Nothing(), None, name)
    figure.savefig(tmp_path / "a.png")
    assert figure.get_suptitle() == printable(name)


class _Nothing:
    area = 0.5
    track = salience = masked = type("T", (), {"cpu": lambda self: self, "numpy": lambda self: np.ones((2, 2))})()


@named
def test_a_page_holds_a_name_as_text(name):
    page = index_page(name, {name: {name: name}}, {name: name})
    page.encode("utf-8")
    assert "<script>" not in page and "\x1b" not in page
    assert 'href="javascript:' not in index_page("x", {"javascript:alert(1)": {}}, {})
    assert render("index.html", title=name, columns=[], links={}, done={}, failed={}).count("<h1>") == 1


def test_no_track_overwrites_the_index_page(tmp_path):
    files = [tmp_path / f"{name}.wav" for name in ("index.html", ".part", "summary.json", "index.html")]
    assert names(files) == ["index.html 2", ".part 2", "summary.json 2", "index.html 3"]


@named
def test_an_error_and_the_log_show_a_name_on_one_line(name, capsys, tmp_path):
    root = logging.getLogger()
    handler = logging.FileHandler(tmp_path / "log", encoding="utf-8")
    root.addHandler(handler)

    def main(cfg):
        logging.getLogger("svdx").warning("explaining %s", name)
        raise AudioError(f"{name}: no such audio file")

    try:
        with pytest.raises(SystemExit):
            command(main)(None)
    finally:
        root.removeHandler(handler)
    lines = capsys.readouterr().err.split("\n")
    assert f"svdx: {printable(name)}: no such audio file".replace("\n", "\\n") in lines
    assert "\x1b" not in (tmp_path / "log").read_text("utf-8") != ""
