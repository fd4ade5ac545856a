"""The synthetic corpus: deterministic, exactly labelled, generated completely or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from svdx.corpora.synthetic import corpus as synthetic
from svdx.corpora.synthetic.corpus import Recipe, Synthetic, make_corpus, make_song, track_name
from svdx.corpora.synthetic.song import Song, compose
from svdx.errors import ConfigError, CorpusError

RATE = 22050
RECIPE = Recipe(n_train=2, n_valid=1, n_test=1, seconds=6.0, seed=3, sample_rate=RATE)
ARGUMENTS = dict(n_train=2, n_valid=1, n_test=1, seconds=6, seed=3, sample_rate=RATE)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corpora") / "made"
    make_corpus(root, RECIPE)
    return root


@pytest.fixture(scope="module")
def songs() -> list[Song]:
    return [compose(np.random.default_rng([5, 0, k]), 12.0, RATE) for k in range(6)]


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def labelled(song: Song) -> np.ndarray:
    """Whether somebody sings, per sample."""
    times = np.arange(len(song.audio)) / RATE
    return np.any([(times >= start) & (times < end) for start, end in song.singing], axis=0)


def test_the_layout_is_complete(root: Path) -> None:
    names = {track_name(*track) for track in RECIPE.tracks()}
    for folder, ending in (("audio", ".flac"), ("vocals", ".flac"), ("labels", ".lab")):
        assert {path.name for path in (root / folder).iterdir()} == {name + ending for name in names}
    info = soundfile.info(root / "audio" / "train_0000.flac")
    assert (info.samplerate, info.channels, info.subtype, info.duration) == (RATE, 1, "PCM_16", 6.0)
    assert not list(root.parent.glob("*.partial"))


def test_splits_are_disjoint_and_labels_cover_tracks(root: Path) -> None:
    corpus = Synthetic(root, **ARGUMENTS)
    splits = [{track.name for track in corpus.split(name)} for name in ("train", "valid", "test")]
    assert [len(split) for split in splits] == [2, 1, 1] and len(set.union(*splits)) == 4
    for track in corpus.split("train"):
        assert track.vocals is not None and track.audio.is_file()
        edges = [track.segments[0].start, *(segment.end for segment in track.segments)]
        assert edges[0] == 0 and edges[-1] == 6.0 and edges == sorted(edges)
        assert any(segment.vocal for segment in track.segments)


def test_the_same_settings_give_the_same_bytes_in_any_number_of_processes(root: Path, tmp_path: Path) -> None:
    make_corpus(tmp_path / "again", RECIPE, workers=2)
    assert contents(root) == contents(tmp_path / "again")


def test_a_track_does_not_depend_on_the_size_of_the_corpus_but_on_seed_split_and_number() -> None:
    larger = Recipe(9, 9, 9, 6.0, 3, RATE)
    one = make_song(RECIPE, "train", 1).audio
    assert np.array_equal(one, make_song(larger, "train", 1).audio)
    others = [
        make_song(RECIPE, "train", 0),
        make_song(RECIPE, "valid", 1),
        make_song(Recipe(2, 1, 1, 6.0, 4, RATE), "train", 1),
    ]
    assert not any(np.array_equal(one, other.audio) for other in others)


def test_the_same_seed_gives_the_song_of_earlier_versions() -> None:
    """If this fails on purpose, increase GENERATOR, so that existing corpora are not taken for the new ones."""
    song = make_song(RECIPE, "train", 0)
    assert song.singing == [pytest.approx((0.451334, 1.828111), abs=1e-6)]
    levels = [np.sqrt(np.mean(np.square(part, dtype=np.float64))) for part in (song.audio, song.vocals)]
    assert levels == pytest.approx([0.1094344, 0.0439310], rel=1e-5)
    samples = [-0.018914, -0.153932, -0.092262, -0.030301, 0.070873, 0.027533]
    assert song.audio[: 6 * 13000 : 13000] == pytest.approx(samples, abs=1e-5)


def test_labels_agree_with_the_energy_of_the_voice(songs: list[Song]) -> None:
    for song in songs:
        sung, power = labelled(song), np.square(song.vocals, dtype=np.float64)
        assert power[sung].sum() > 0.97 * power.sum()
        for start, end in song.singing:
            phrase = power[int(start * RATE) : int(end * RATE)]
            blocks = phrase[: len(phrase) // 2205 * 2205].reshape(-1, 2205).mean(axis=1)
            assert np.mean(blocks > 1e-4 * phrase.max()) > 0.8


def test_the_mix_without_the_voice_has_no_voice_in_it(songs: list[Song]) -> None:
    for song in songs:
        rest, voice = (song.audio - song.vocals).astype(np.float64), song.vocals.astype(np.float64)
        blocks = zip(*(np.array_split(part, 60) for part in (rest, voice)), strict=True)
        shared = [a @ b / np.sqrt((a @ a) * (b @ b)) for a, b in blocks if b @ b > 1e-8]
        assert abs(np.mean(shared)) < 0.05


def test_about_half_of_the_time_is_sung(songs: list[Song]) -> None:
    assert 0.3 < np.mean([labelled(song).mean() for song in songs]) < 0.7


def test_songs_differ_in_level_and_none_is_clipped_or_silent(songs: list[Song]) -> None:
    levels = [20 * np.log10(np.sqrt(np.mean(np.square(song.audio)))) for song in songs]
    assert max(levels) - min(levels) > 2 and min(levels) > -40
    assert all(np.abs(part).max() < 1 and part.any() for song in songs for part in (song.audio, song.vocals))


def test_an_existing_corpus_is_reused_and_never_overwritten(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthetic, "make_song", None)
    make_corpus(root, RECIPE)
    before = contents(root)
    with pytest.raises(CorpusError, match=r"seed=4 \(there: 3\)"):
        make_corpus(root, Recipe(2, 1, 1, 6.0, 4, RATE))
    assert contents(root) == before


def test_a_corpus_of_another_generator_version_is_refused(root: Path, tmp_path: Path) -> None:
    card = json.loads((root / "corpus.json").read_text())
    (tmp_path / "corpus.json").write_text(json.dumps(card | {"generator": card["generator"] + 1}))
    with pytest.raises(CorpusError, match="generator"):
        make_corpus(tmp_path, RECIPE)


def test_a_directory_with_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(CorpusError, match="holds no synthetic corpus"):
        make_corpus(tmp_path, RECIPE)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_interrupted_generation_leaves_no_files(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(recipe: Recipe, split: str, number: int) -> Song:
        if split == "valid":
            assert not (tmp_path / "corpus").exists()  # so that a killed process leaves none
            raise KeyboardInterrupt
        return make_song(recipe, split, number)

    monkeypatch.setattr(synthetic, "make_song", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_corpus(tmp_path / "corpus", RECIPE)
    assert not (tmp_path / "corpus").exists() and not list(tmp_path.glob("*partial*"))
    monkeypatch.undo()
    (tmp_path / ".corpus.partial" / "audio").mkdir(parents=True)  # left by a killed process
    make_corpus(tmp_path / "corpus", RECIPE)
    assert contents(tmp_path / "corpus") == contents(root)


@pytest.mark.parametrize("key", ["n_train", "n_valid", "n_test", "seconds", "seed", "sample_rate"])
def test_settings_out_of_range_are_refused_in_one_line(key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"{key}=-1: expected") as error:
        Synthetic(tmp_path / "corpus", **(ARGUMENTS | {key: -1}))
    assert "\n" not in str(error.value) and not (tmp_path / "corpus").exists()
