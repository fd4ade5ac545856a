"""The page's tables over a toy study in which the voice decides often enough to be parted into thirds."""

import pytest

from svdx.comparison.measures import is_stratified
from svdx.comparison.results import Found, rows
from svdx.comparison.stems import Pair
from svdx.comparison.table import sections
from tests.comparison.test_bench import EIGHTH, Data, bench, stems

N = 20


def voices(number):
    """Every excerpt's voice is known, each a little louder than the last."""
    voice, accompaniment = stems(0)
    return Pair(voice + 0.05 * number, accompaniment)


@pytest.fixture(scope="module")
def tables():
    study = bench(stems=voices)(Data(N))
    assert study.localised.sum() == N / 2 and is_stratified(study)
    found = Found(rows(study))
    return found, {table.title: table for table in sections(found, study.fills, EIGHTH, ["fc9"], {"inversion": "7"})}


def cell(table, method, head):
    return table.lines[method][table.heads.index(head)]


def test_what_every_table_has_and_no_head_stands_twice(tables):
    _, tables = tables
    assert list(tables) == ["Faithfulness at equal area", "Is it on the voice?", "Regions and sanity", "Cost"]
    for table in tables.values():
        assert len(set(table.heads)) == len(table.heads)
        assert all(len(line) == len(table.heads) for line in table.lines.values())
    assert tables["Regions and sanity"].heads[2:4] == ["fc9 random: abs ρ ↓", "fc9 random: IoU ↓"]
    assert cell(tables["Cost"], "inversion", "training (s)").text == "7"


def test_the_perfect_score_is_on_the_voice_and_the_reversed_one_is_not(tables):
    found, tables = tables
    table = tables["Is it on the voice?"]
    at = "voice at 12.5 % ↑"
    assert table.heads[:4] == [at, "soft voice ↑", "middle voice ↑", "loud voice ↑"]
    soft, middle, loud = (float(cell(table, "perfect", head).text) for head in table.heads[1:4])
    assert 0.9 < soft < middle < loud < 1
    assert found("perfect", "voice_share", "", EIGHTH, "voice_soft")["n"] == 3
    for head in (at, "voice IoU ↑", "pointing game ↑", "relevance rank ↑"):
        perfect, other = (cell(table, name, head) for name in ("perfect", "reversed"))
        assert perfect.best and not other.best and float(perfect.text) > 0.9 > 0.1 > float(other.text)
    assert cell(table, "perfect", "pointing game ↑").interval == "[1.00, 1.00]"


def test_relevance_mass_is_neither_best_nor_different(tables):
    table = tables[1]["Is it on the voice?"]
    mass = [cell(table, name, "relevance mass") for name in table.lines]
    assert cell(table, "perfect", "relevance mass").text == "1.00"
    assert cell(table, "reversed", "relevance mass").text == "–"  # nothing of it is above 0
    assert not any(one.best or one.differs for one in mass)
    assert any(cell(table, name, "relevance rank ↑").differs for name in table.lines)


def test_what_the_faithful_table_says_of_both_classes(tables):
    table = tables[1]["Faithfulness at equal area"]
    heads = [f"E_loss{of} ↓" for of in (" at 12.5 %", ", pooled", ", singing", ", no singing")]
    assert [cell(table, "reversed", head).text for head in heads] == ["50.0", "50.0", "100.0", "0.0"]
    assert [cell(table, "perfect", head).text for head in heads] == ["0.0"] * 4
    assert cell(table, "random", "gain over random at 12.5 % ↑").text == "0.0"
    assert cell(table, "reversed", heads[0]).differs and not cell(table, "inversion", heads[0]).differs
