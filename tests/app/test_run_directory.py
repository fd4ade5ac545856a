"""A run's directory: whole results or none; a second run uses them, refuses, or replaces them where told to."""

import json
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from svdx.app.provenance import write_config, write_summary
from svdx.app.run_directory import atomic_results, begin_training, is_trained, reuse_or_refuse, run_lock
from svdx.errors import ConfigError
from tests.support.at_once import TRIALS, in_processes, killed_while

CONF = Path(__file__).parent.parent.parent / "conf"


def config(**more):
    return OmegaConf.create({"seed": 0, "overwrite": False, "resume": False, "audio": "a.wav", **more})


def finish(directory, cfg, **facts):
    """A finished result of two files."""
    with atomic_results(directory) as place:
        (place / "curve.csv").write_text("curve")
        (place / "explanations").mkdir()
        (place / "explanations" / "one.png").write_text("picture")
        write_summary(place, cfg, facts)


def names(directory):
    return sorted(path.name for path in directory.iterdir() if path.name != ".hydra")


WHOLE = ["config.yaml", "curve.csv", "explanations", "summary.json"]


def test_results_and_their_summary_are_moved_together(tmp_path):
    finish(tmp_path, config())
    assert names(tmp_path) == WHOLE
    assert json.loads((tmp_path / "summary.json").read_text())["files"] == {
        "config.yaml": (tmp_path / "config.yaml").stat().st_size,
        "curve.csv": 5,
        "explanations": None,
    }


def test_unfinished_results_keep_the_old_ones(tmp_path):
    finish(tmp_path, config(), n=1)
    before = (tmp_path / "summary.json").read_text()
    with pytest.raises(ZeroDivisionError), atomic_results(tmp_path) as place:
        (place / "curve.csv").write_text("half")
        raise ZeroDivisionError
    assert names(tmp_path) == WHOLE and (tmp_path / "curve.csv").read_text() == "curve"
    assert (tmp_path / "summary.json").read_text() == before


def test_a_disk_without_room_is_one_line_and_leaves_nothing(tmp_path):
    with (
        pytest.raises(ConfigError, match=r"cannot be written \(No space left on device\): give a hydra.run.dir"),
        atomic_results(tmp_path / "run") as place,
    ):
        (place / "curve.csv").write_text("half")
        raise OSError(28, "No space left on device")
    assert names(tmp_path / "run") == []


def test_the_summary_comes_last(tmp_path, monkeypatch):
    """A process is killed before the last of the files has its place."""
    moved, replace = [], Path.replace

    def killed(path, target):
        if path.name == "summary.json" and path.parent.name == ".results":
            raise KeyboardInterrupt
        moved.append(path.name)
        return replace(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", killed)
        finish(tmp_path, config())
    assert {"curve.csv", "explanations"} <= set(moved) and not reuse_or_refuse(config(), tmp_path)
    finish(tmp_path, config())
    assert reuse_or_refuse(config(), tmp_path)


@pytest.mark.parametrize("trial", TRIALS)
def test_killed_at_any_moment_a_result_is_complete_or_absent(tmp_path, trial):
    """Results of sixty files of the same size, one after the other, each of another seed."""
    files = [f"{number:02d}" for number in range(60)]

    def write(number):
        with atomic_results(tmp_path) as place:
            for name in files:
                (place / name).write_text(f"{number:06d}")
            write_config(place, config(seed=number))
            (place / "summary.json").write_text(f'{{"seed": {number}}}')

    killed_while(write, (tmp_path / "summary.json").exists, trial, 0.05)
    try:
        seed = json.loads((tmp_path / "summary.json").read_text())["seed"]
    except FileNotFoundError:
        seed = None
    if seed is not None:
        assert reuse_or_refuse(config(seed=seed), tmp_path)
        assert {(tmp_path / name).read_text() for name in files} == {f"{seed:06d}"}
    write(7)
    assert reuse_or_refuse(config(seed=7), tmp_path) and not (tmp_path / ".results").exists()


def test_the_result_of_the_same_configuration_is_reused(tmp_path):
    assert not reuse_or_refuse(config(), tmp_path)
    finish(tmp_path, config(), classifier="a")
    assert reuse_or_refuse(config(), tmp_path) and reuse_or_refuse(config(), tmp_path, {"classifier": "a"})
    assert reuse_or_refuse(config(audio="b.wav"), tmp_path, ignoring=("audio",))


def composed(place, *words):
    """The configuration of a command that runs in a directory."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("evaluate", [f"paths.run={place}", *words])


UNCHANGED_BY = (
    *("threads=3", "logger=wandb", "trainer.gpus=auto", "trainer.accelerator=cpu", "trainer.devices=2"),
    *(
        "trainer.strategy=ddp",
        "trainer.num_nodes=2",
        "store.workers=1",
        "store.directory=mels",
        "paths.cache=there",
    ),
    *("logger=wandb logger.wandb.project=p", "classifier.weights=a.ckpt", "inverter.weights=b.npz", "data.root=moved"),
)
RELEVANT = (
    *("seed=1", "excerpts.n=7", "explainer.fill=zero", "trainer.precision=64-true", "trainer.limit_test_batches=2"),
    *("inverter.width=64", "classifier.fit.max_epochs=3", "data.n_test=3", "frontend.floor=1e-6", "detection=true"),
)


@pytest.mark.parametrize("words", UNCHANGED_BY)
def test_devices_loggers_and_paths_do_not_change_a_result(tmp_path, words):
    finish(tmp_path / "there", composed(tmp_path / "there"), hashes={"classifier": "a"})
    asked = composed(tmp_path / "there", *words.split())
    assert reuse_or_refuse(asked, tmp_path / "there", {"hashes": {"classifier": "a"}})
    with pytest.raises(ConfigError, match="the result of another classifier"):  # compared by what it holds
        reuse_or_refuse(asked, tmp_path / "there", {"hashes": {"classifier": "b"}})


@pytest.mark.parametrize("word", RELEVANT)
def test_relevant_settings_change_a_result(tmp_path, word):
    finish(tmp_path, composed(tmp_path))
    with pytest.raises(ConfigError, match="the result of another configuration"):
        reuse_or_refuse(composed(tmp_path, word), tmp_path)


def test_a_moved_result_is_reused(tmp_path):
    finish(tmp_path / "first", composed(tmp_path / "first"))
    (tmp_path / "first").rename(tmp_path / "moved")
    assert reuse_or_refuse(composed(tmp_path / "moved"), tmp_path / "moved")


@pytest.mark.parametrize(
    ("change", "used", "said"),
    [({"seed": 1}, {}, "another configuration"), ({}, {"classifier": "b"}, "another classifier")],
)
def test_another_result_is_refused_unless_overwritten(tmp_path, change, used, said):
    finish(tmp_path, config(), classifier="a")
    with pytest.raises(ConfigError, match=f"holds the result of {said}: overwrite=true replaces it") as error:
        reuse_or_refuse(config(**change), tmp_path, used)
    assert str(tmp_path) in str(error.value) and names(tmp_path) == WHOLE
    (tmp_path / "thesis.txt").write_text("mine")
    assert not reuse_or_refuse(config(**change, overwrite=True), tmp_path, used)
    assert names(tmp_path) == [*WHOLE, "thesis.txt"]  # until there is another


def test_a_new_result_removes_all_files_of_the_old_one(tmp_path):
    finish(tmp_path, config())
    (tmp_path / "thesis.txt").write_text("mine")
    with atomic_results(tmp_path) as place:
        (place / "page.html").write_text("page")
        write_summary(place, config(), {})
    assert names(tmp_path) == ["config.yaml", "page.html", "summary.json", "thesis.txt"]


def test_a_path_with_a_dollar_survives_writing(tmp_path):
    cfg = config(audio=r"a \${seed}.wav")
    assert OmegaConf.to_container(cfg, resolve=True)["audio"] == "a ${seed}.wav"
    finish(tmp_path, cfg)
    assert reuse_or_refuse(cfg, tmp_path)


@pytest.mark.parametrize("text", ["[1]", "a: [", "\udc80"])
def test_an_unreadable_configuration_is_a_different_one(tmp_path, text):
    finish(tmp_path, config())
    size = (tmp_path / "config.yaml").stat().st_size
    (tmp_path / "config.yaml").write_bytes(text.encode(errors="surrogateescape").ljust(size))
    with pytest.raises(ConfigError, match="another configuration"):
        reuse_or_refuse(config(), tmp_path)


def test_only_the_given_hashes_are_compared(tmp_path):
    finish(tmp_path, config(), hashes={"classifier": "a", "corpus": {"test": "b"}})
    assert reuse_or_refuse(config(), tmp_path, {"hashes": {"classifier": "a"}})
    with pytest.raises(ConfigError, match="result of another classifier: overwrite"):
        reuse_or_refuse(config(), tmp_path, {"hashes": {"classifier": "c"}})


def test_a_file_of_another_size_makes_a_result_incomplete(tmp_path):
    finish(tmp_path, config())
    (tmp_path / "curve.csv").write_text("")
    assert not reuse_or_refuse(config(), tmp_path)


@pytest.mark.parametrize("lost", ["curve.csv", "config.yaml", "summary.json"])
def test_an_incomplete_result_is_none(tmp_path, lost):
    finish(tmp_path, config())
    (tmp_path / lost).unlink()
    assert not reuse_or_refuse(config(seed=1), tmp_path)


@pytest.mark.parametrize("text", ["", '{"n": 1', "[]", '{"files": 1}'])
def test_a_truncated_or_foreign_summary_is_none(tmp_path, text):
    finish(tmp_path, config())
    (tmp_path / "summary.json").write_text(text)
    assert not reuse_or_refuse(config(), tmp_path)


def test_a_foreign_summary_removes_nothing_outside_the_directory(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    finish(tmp_path / "run", config())
    (tmp_path / "run" / "summary.json").write_text(json.dumps({"files": ["../thesis.txt", "..", "curve.csv"]}))
    assert not reuse_or_refuse(config(overwrite=True), tmp_path / "run")
    assert (tmp_path / "thesis.txt").exists() and (tmp_path / "run").is_dir()


@pytest.mark.parametrize("part", ["", "classifier", "inverter"])
def test_a_training_is_not_repeated_unless_resumed_or_overwritten(tmp_path, part):
    begin_training(config(), tmp_path)
    checkpoint = tmp_path / part / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    with pytest.raises(ConfigError, match="holds a training: resume=true goes on with it, overwrite=true replaces it"):
        begin_training(config(), tmp_path)
    begin_training(config(resume=True), tmp_path)
    assert checkpoint.exists()
    begin_training(config(overwrite=True), tmp_path)
    assert not checkpoint.exists()
    begin_training(config(), tmp_path)


def test_a_training_does_not_replace_another_commands_result(tmp_path):
    finish(tmp_path, config())
    with pytest.raises(ConfigError, match="overwrite=true"):
        begin_training(config(), tmp_path)


def test_another_command_does_not_write_into_an_unfinished_training(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    with pytest.raises(ConfigError, match="holds a training that has not ended: overwrite=true"):
        reuse_or_refuse(config(), tmp_path)
    assert not reuse_or_refuse(config(overwrite=True), tmp_path)


def test_a_training_does_not_resume_another_commands_result(tmp_path):
    finish(tmp_path, config())
    with pytest.raises(ConfigError, match="holds the result of another command"):
        begin_training(config(resume=True), tmp_path)


def test_resume_and_overwrite_exclude_each_other(tmp_path):
    with pytest.raises(ConfigError, match="give one of them"):
        begin_training(config(resume=True, overwrite=True), tmp_path)


def test_a_second_run_in_the_same_directory_is_refused(tmp_path, monkeypatch):
    def begin(number):
        with pytest.raises(ConfigError, match="another run is using it"), run_lock(tmp_path):
            pass
        monkeypatch.setenv("NODE_RANK", "1")
        with run_lock(tmp_path):  # a process of the same run
            pass

    with run_lock(tmp_path):
        assert in_processes(begin, 1) == [0]
    with run_lock(tmp_path):
        pass


def test_a_training_is_finished_only_for_the_same_configuration_and_paths(tmp_path):
    asked = config(data={"root": "music"}, classifier={"weights": None})
    assert not is_trained(asked, tmp_path)
    write_config(tmp_path, asked)
    assert not is_trained(asked, tmp_path)
    write_summary(tmp_path, asked, {})
    assert is_trained(asked, tmp_path)
    assert is_trained(config(data={"root": "music"}, classifier={"weights": None}, resume=True), tmp_path)
    assert not is_trained(config(data={"root": "other"}, classifier={"weights": None}), tmp_path)
    assert not is_trained(config(data={"root": "music"}, classifier={"weights": "b.ckpt"}), tmp_path)
    assert not is_trained(config(data={"root": "music"}, classifier={"weights": None}, seed=1), tmp_path)
