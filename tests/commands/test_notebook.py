"""The notebook of examples/ runs from beginning to end, with networks that it trains itself, and holds no outputs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
NOTEBOOK = ROOT / "examples/explain_your_song.ipynb"


@pytest.mark.slow
def test_it_runs_from_an_empty_cache(tmp_path):
    pytest.importorskip("nbmake", reason="notebooks are run by nbmake: pip install 'svdx[dev]'")
    environment = os.environ | {"SVDX_CACHE": str(tmp_path), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    words = ["-q", "-p", "no:cacheprovider", "--nbmake", "--nbmake-timeout=600", str(NOTEBOOK)]
    run = subprocess.run([sys.executable, "-m", "pytest", *words], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    assert (tmp_path / "example song/explained/report.html").is_file()


def test_its_outputs_are_stripped():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
