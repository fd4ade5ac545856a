"""What explain.py refuses before it trains or loads a network."""

import pytest

from svdx.commands.explain import expect_readable
from svdx.errors import AudioError


def test_a_folder_without_a_readable_file_is_refused_before_any_training(shell, tmp_path):
    for name in ("a.wav", "b.mp3"):
        (tmp_path / name).write_text("no sound")
    _, run = shell("unreadable", "explain.py", f"audio='{tmp_path}'", "start=all", status=1)
    assert "none of 2 tracks could be explained; the first:" in run.stderr and "a.wav: not readable" in run.stderr
    assert "classifier" not in run.stdout + run.stderr


def test_one_readable_file_is_enough(tiny_corpus, tmp_path):
    (tmp_path / "a.wav").write_text("no sound")
    sound = next((tiny_corpus.root / "audio").glob("*.wav"))
    expect_readable([tmp_path / "a.wav", sound])
    with pytest.raises(AudioError, match="none of 1 tracks"):
        expect_readable([tmp_path / "a.wav"])
