"""Multiruns as a person types them: gathered, skipped, failed, side by side."""

import pytest

from svdx.evaluation.curve import group_curves, read_curve, target_area
from tests.callbacks.test_resuming import TRAIN, until
from tests.support.command_line import LONGEST, epochs, lines, of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def single(shell, untrained):
    """One run of all thresholds."""
    return shell("single", "evaluate.py", *untrained)[0]


@pytest.fixture(scope="module")
def sweep(shell, untrained):
    words = ("-m", *untrained, "explainer.threshold=0.2,0.6")
    return shell("sweep", "evaluate.py", *words)[0], words


def test_a_multirun_over_thresholds_gives_the_curves_rows_and_gathers_them(sweep, single):
    directory, _ = sweep
    assert lines(directory / "0") == of(lines(single), 0.2)
    assert lines(directory) == of(lines(single), 0.2, 0.6)
    assert (directory / "curve.png").is_file()


@pytest.mark.parametrize(
    "launcher",
    [("hydra/launcher=joblib", "hydra.launcher.n_jobs=2"), ("hydra/launcher=submitit_local",)],
    ids=["joblib", "submitit"],
)
def test_parallel_jobs_give_the_same_rows(shell, sweep, launcher):
    name = launcher[0].rpartition("=")[2]
    directory, _ = shell(name, "evaluate.py", *sweep[1], *launcher, "threads=1")
    assert lines(directory) == lines(sweep[0])


def test_a_repeated_multirun_skips_finished_jobs(shell, sweep):
    directory, words = sweep
    before = {number: (directory / number / "summary.json").read_bytes() for number in ("0", "1")}
    whole = lines(directory)
    (directory / "1" / "curve.csv").unlink()
    _, done = shell("sweep", "evaluate.py", *words)
    assert "up to date, nothing to do" in done.stdout
    assert (directory / "0" / "summary.json").read_bytes() == before["0"]
    assert lines(directory) == whole
    record = directory / "1" / "summary.json"
    record.write_text(record.read_text().replace("(width 8, ", "(width 8, another "))  # as if it were of another one
    for more, said in (((), "result of another inverter"), (("seed=1",), "result of another configuration")):
        _, done = shell("sweep", "evaluate.py", *words, *more, status=1)
        assert said in done.stderr and "overwrite=true" in done.stderr
        assert "another" in record.read_text()
    shell("sweep", "evaluate.py", *words, "seed=1", "overwrite=true")
    assert (directory / "0" / "summary.json").read_bytes() != before["0"]
    assert "another" not in record.read_text()


def test_a_sweep_with_a_failed_job_is_gathered_by_hand_and_the_job_is_named(shell, untrained, single):
    words = (*untrained, "explainer.threshold=0.2,1.7")
    directory, _ = shell("failed", "evaluate.py", "-m", *words, status=1)
    assert not (directory / "curve.csv").exists()
    _, done = shell("by_hand", "evaluate.py", f"gather={directory}")
    assert "no result of job 1" in done.stdout and "explainer.threshold=1.7" in done.stdout
    assert lines(directory) == of(lines(single), 0.2)


def test_results_of_an_earlier_sweep_in_the_same_directory_are_not_gathered(shell, untrained):
    before = (*untrained, "controls=[]", "explainer.threshold=0.2,0.5")
    directory, _ = shell("reused", "evaluate.py", "-m", *before)
    later = (*untrained, "controls=[]", "explainer.fill=zero", "overwrite=true", "explainer.threshold=0.2,1.7")
    shell("reused", "evaluate.py", "-m", *later, status=1)
    assert (directory / "1/curve.csv").exists()  # a job that is refused removes nothing
    _, done = shell("by_hand", "evaluate.py", f"gather={directory}")
    assert "no result of job 1" in done.stdout
    assert [row["fill"] for row in read_curve(directory / "curve.csv")] == ["zero"]


def test_a_sweep_over_explainers_is_gathered_over_the_area(shell, untrained):
    words = (*untrained, "controls=[random]", "explainer=inversion,gated_inversion", "excerpts.n=4")
    directory, done = shell("explainers", "evaluate.py", "-m", *words)
    curves = group_curves(read_curve(directory / "curve.csv"))
    names = ["inversion", "random, explainer=inversion", "gated_inversion", "random, explainer=gated_inversion"]
    assert list(curves) == names
    assert [row["threshold"] for row in curves["inversion"]] == [i / 10 for i in range(12)]
    assert {target_area(row) for row in curves["inversion"]} == {None}
    areas = [1, 2, 5, 10, 15, 20, 30, 40, 50, 70]
    for name in names[2:]:
        assert [target_area(row) for row in curves[name]] == areas
        assert [row["relative_area_percent"] for row in curves[name]] == pytest.approx(areas, abs=1e-4)
    assert lines(directory / "0")[0] + ",asked_area_percent,run" == lines(directory)[0]
    assert "best 10 % of the area" in done.stdout
    shell("drawn", "evaluate.py", f"plot={directory / 'curve.csv'}")


def test_several_processes_in_a_multirun_are_refused(shell, untrained):
    two = ("trainer.accelerator=cpu", "trainer.devices=2", "trainer.strategy=ddp")
    _, done = shell("ddp", "evaluate.py", "-m", *untrained, "explainer.threshold=0.2", *two, status=1)
    assert "several devices in a multirun" in done.stderr


def test_a_killed_sweep_of_trainings_is_resumed_by_one_command(shell, tiny_corpus):
    words = (*TRAIN, f"data.root={tiny_corpus.root}", "model=svdnet", "++classifier.fit.max_epochs=12")
    sweep = shell.place / "trainings"
    process = shell.start("trainings", "train.py", *words, "-m", "seed=0,1,2")
    until(lambda: (sweep / "1/checkpoints/last.ckpt").is_file() or not process.is_alive())
    process.kill()
    process.join(LONGEST)
    summary = (sweep / "0/summary.json").read_bytes()
    assert not (sweep / "1/summary.json").exists() and not (sweep / "2").exists()
    _, done = shell("trainings", "train.py", *words, "-m", "seed=0,1,2", "resume=true")
    assert f"{sweep}/0: the training has ended" in done.stdout
    assert f"going on from {sweep}/1/checkpoints/" in done.stdout
    assert (sweep / "0/summary.json").read_bytes() == summary
    assert [epochs(sweep / job) for job in "012"] == [12, 12, 12]
    assert (sweep / "1/summary.json").is_file() and (sweep / "2/summary.json").is_file()
    _, done = shell("trainings", "train.py", *words, "-m", "seed=0,1,2", status=1)
    lines = [line for line in done.stderr.splitlines() if line.startswith("svdx: ")]
    assert lines and "holds a training" in lines[0] and "another hydra.sweep.dir keeps it" in lines[0]
    assert "Traceback" not in done.stderr and "hydra.run.dir" not in done.stderr
