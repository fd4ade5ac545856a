"""docs/reliability.md names tests that exist."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TABLE = (TESTS.parent / "docs" / "reliability.md").read_text(encoding="utf-8")
NAMED = sorted(set(re.findall(r"`([\w/]+)::(test_\w+)`", TABLE)))


@pytest.mark.parametrize("module, name", NAMED)
def test_a_named_test_exists(module, name):
    assert f"def {name}(" in (TESTS / f"{module}.py").read_text(encoding="utf-8")


def test_every_row_names_a_test():
    rows = [
        line for line in TABLE.splitlines() if line.startswith("|") and "---" not in line and "| case |" not in line
    ]
    assert len(rows) > 60
    assert all(re.search(r"`[\w/]+::test_\w+`", row) for row in rows)
