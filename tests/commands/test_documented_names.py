"""README and docs name only modules, classes and files that exist."""

import re
from pkgutil import resolve_name

import pytest

from tests.support.documented import PAGES, ROOT

PROSE = [*PAGES, ROOT / "CONTRIBUTING.md"]
OBJECT = re.compile(r"\bsvdx(?:\.(?!md\b)[A-Za-z_]\w*)+")
FILE = re.compile(r"(?<![\w/.<-])(?:\.ci|benchmarks|conf|docs|examples|fuzz|svdx|tests)/[\w./-]*\w")
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
PLACEHOLDER = "NAME"


def named(pattern):
    """What a pattern matches in the pages, each once, with the page."""
    matches = {match: page for page in PROSE for match in pattern.findall(page.read_text(encoding="utf-8"))}
    return [pytest.param(page, match, id=f"{page.name}:{match}") for match, page in sorted(matches.items())]


@pytest.mark.parametrize("page, name", named(OBJECT))
def test_a_module_class_or_function_exists(page, name):
    assert resolve_name(name) is not None


@pytest.mark.parametrize("page, path", [case for case in named(FILE) if PLACEHOLDER not in case.values[1]])
def test_a_file_exists(page, path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.name)
def test_links_lead_to_files(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).is_file(), target


def test_the_patterns_find_what_the_pages_name():
    assert len(named(OBJECT)) > 10
    assert len(named(FILE)) > 10
