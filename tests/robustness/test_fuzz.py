"""Damaged and hostile files end in a result or in an svdx error, and the watchdog detects anything else."""

import sys
from collections import Counter

import pytest

from fuzz import run as runner
from fuzz.child import case, outcome
from fuzz.run import run
from fuzz.seeds import seeds
from fuzz.targets import TARGETS


@pytest.fixture(scope="module")
def kinds():
    return seeds()


@pytest.mark.parametrize("n", [pytest.param(150, marks=pytest.mark.slow), pytest.param(1000, marks=pytest.mark.soak)])
def test_damaged_files_give_a_result_or_an_error_of_svdx(n):
    results = run(n, seed=0)
    assert [f"{one.number} {one.kind}: {one.failure}" for one in results if one.failure] == []
    assert [one.number for one in results] == list(range(n))
    assert min(Counter(one.kind for one in results).values()) > n / 24


def test_undamaged_files_are_read(kinds, tmp_path):
    assert set(kinds) == set(TARGETS)
    for kind, files in kinds.items():
        for content in files[:1] if kind == "list" else files:  # the other list's name is Latin-1 of a file in UTF-8
            path = tmp_path / f"case.{kind}"
            path.write_bytes(content)
            assert outcome(kind, path) == ""


def test_a_seed_always_gives_the_same_cases(kinds):
    assert [case(kinds, 3, n) for n in range(40)] == [case(kinds, 3, n) for n in range(40)]
    assert case(kinds, 3, 0) != case(kinds, 4, 0)


@pytest.mark.parametrize(
    ("raised", "said"),
    [(KeyError("x"), "KeyError"), (SystemExit(2), "SystemExit"), (MemoryError(), "out of memory"), (None, "")],
)
def test_other_exceptions_are_failures(monkeypatch, tmp_path, raised, said):
    from svdx.errors import WeightsError

    def load(path):
        if isinstance(raised, MemoryError):
            raise WeightsError("damaged") from raised
        raise raised or WeightsError("damaged")

    monkeypatch.setitem(TARGETS, "ckpt", load)
    assert said in outcome("ckpt", tmp_path / "a.ckpt") and bool(said) == bool(outcome("ckpt", tmp_path / "a.ckpt"))


CHILD = """
import json, os, sys, time
for number in range(int(sys.argv[4]), int(sys.argv[5])):
    print(json.dumps({"number": number, "kind": "lab"}), flush=True)
    if number == 1: time.sleep(600)
    if number == 3: os.abort()
    print(json.dumps({"failure": "", "seconds": 0.0, "bytes": 10**(number + 3)}), flush=True)
"""


@pytest.mark.slow
def test_hanging_crashing_and_memory_hungry_cases_are_reported(monkeypatch):
    real = runner.subprocess.Popen

    def popen(command, **options):
        return real([sys.executable, "-c", CHILD, *command[1:]], **options)

    monkeypatch.setattr(runner.subprocess, "Popen", popen)
    monkeypatch.setattr(runner, "MAX_SECONDS", 5.0)
    failures = [one.failure for one in run(8, seed=0)]
    assert [failure.split()[0] if failure else "" for failure in failures] == [
        "",
        "hangs:",
        "",
        "dies,",
        *[""] * 3,
        "takes",
    ]
