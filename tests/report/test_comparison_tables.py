"""Tables of a comparison: over a toy study with enough localised excerpts for thirds, and over rows made by hand."""

import pytest

from svdx.comparison.measures import is_stratified
from svdx.comparison.results import Results, rows
from svdx.comparison.stems import Pair
from svdx.report.comparison_tables import cost, faithfulness, localisation, sanity, sections
from tests.comparison.test_bench import EIGHTH, Data, bench, stems

N = 20


def voices(number):
    """The voice of every excerpt is known and a little louder than in the one before."""
    voice, accompaniment = stems(0)
    return Pair(voice + 0.05 * number, accompaniment)


@pytest.fixture(scope="module")
def tables():
    study = bench(stems=voices)(Data(N))
    assert study.localised.sum() == N / 2 and is_stratified(study)
    results = Results(rows(study))
    return results, {table.title: table for table in sections(study, results, EIGHTH, {"inversion": "7"})}


def cell(table, method, head):
    return table.lines[method][table.heads.index(head)]


def test_every_line_has_a_cell_per_head_and_heads_are_unique(tables):
    _, tables = tables
    assert list(tables) == ["Faithfulness at equal area", "Agreement with the voice", "Regions and sanity", "Cost"]
    for table in tables.values():
        assert len(set(table.heads)) == len(table.heads)
        assert all(len(line) == len(table.heads) for line in table.lines.values())
    assert tables["Regions and sanity"].heads[2:4] == ["fc9 random: abs ρ ↓", "fc9 random: IoU ↓"]
    assert cell(tables["Cost"], "inversion", "training (s)").text == "7"


def test_perfect_score_lies_on_the_voice_and_reversed_score_does_not(tables):
    results, tables = tables
    table = tables["Agreement with the voice"]
    at = "voice at 12.5 % ↑"
    assert table.heads[:4] == [at, "soft voice ↑", "middle voice ↑", "loud voice ↑"]
    soft, middle, loud = (float(cell(table, "perfect", head).text) for head in table.heads[1:4])
    assert 0.9 < soft < middle < loud < 1
    assert results.row("perfect", "voice_share", "", EIGHTH, "voice_soft")["n"] == 3
    for head in (at, "voice IoU ↑", "pointing game ↑", "relevance rank ↑"):
        perfect, other = (cell(table, name, head) for name in ("perfect", "reversed"))
        assert perfect.best and not other.best and float(perfect.text) > 0.9 > 0.1 > float(other.text)
    assert cell(table, "perfect", "pointing game ↑").interval == "[1.00, 1.00]"


def test_relevance_mass_is_neither_best_nor_different(tables):
    table = tables[1]["Agreement with the voice"]
    mass = [cell(table, name, "relevance mass") for name in table.lines]
    assert cell(table, "perfect", "relevance mass").text == "1.00"
    assert cell(table, "reversed", "relevance mass").text == "–"  # nothing of it is above 0
    assert not any(one.best or one.differs for one in mass)
    assert any(cell(table, name, "relevance rank ↑").differs for name in table.lines)


def test_faithfulness_of_both_classes(tables):
    table = tables[1]["Faithfulness at equal area"]
    heads = [f"E_loss{of} ↓" for of in (" at 12.5 %", ", pooled", ", singing", ", no singing")]
    assert [cell(table, "reversed", head).text for head in heads] == ["50.0", "50.0", "100.0", "0.0"]
    assert [cell(table, "perfect", head).text for head in heads] == ["0.0"] * 4
    assert cell(table, "random", "gain over random at 12.5 % ↑").text == "0.0"
    assert cell(table, "reversed", heads[0]).differs and not cell(table, "inversion", heads[0]).differs
    assert "fill=mean 50.0 (singing 100.0, no singing 0.0); fill=excerpt-mean 0.0" in table.under[0]


def row(method, value, **more):
    blank = dict(metric="m", fill="", area=None, ci_low=None, ci_high=None, p_holm=None)
    return {**blank, "class": "all", "method": method, "value": value, **more}


def test_best_and_different_values_are_marked():
    iou = dict(metric="voice_iou")
    different = dict(p_holm=0.01, ci_low=0.5, ci_high=1.5)
    written = [row("a", 2.0, **iou), row("b", 1.0, **iou, **different), row("c", 1.999, p_holm=0.2, **iou)]
    equal = [row(name, 1.0, metric="relevance_rank") for name in "abc"]
    table = localisation(Results([*written, *equal]), 0.1)
    assert table.heads == ["voice IoU ↑", "relevance rank ↑"]
    a, b, c = (cell(table, name, "voice IoU ↑") for name in "abc")
    assert (a.best, b.best, c.best) == (True, False, True)  # as written, with two digits
    assert (b.text, b.interval, b.differs, c.differs) == ("1.00", "[0.50, 1.50]", True, False)
    assert not any(cell(table, name, "relevance rank ↑").best for name in "abc")


def test_an_order_that_reverses_with_the_fill_is_marked():
    means = {"a": (1, 9), "b": (9, 1), "c": (30, 30.5)}
    written = [
        row(name, mean, metric="loss_auc_log", fill=fill, ci_low=mean - 1, ci_high=mean + 1)
        for name, of in means.items()
        for fill, mean in zip(("mean", "floor"), of, strict=True)
    ]
    table = faithfulness(Results(written), ["mean", "floor"], 0.1)
    assert {name: cell.marks for name, (cell,) in table.lines.items()} == {"a": "‡", "b": "‡", "c": ""}


def test_an_explanation_of_the_opposite_sign_is_not_the_sanest():
    values = {"opposite": (-1.0, 1.0), "other": (0.1, 0.1)}
    written = [
        row(name, value, metric=f"randomised_{statistic}/fc9")
        for name, of in values.items()
        for statistic, value in zip(("spearman", "abs_spearman"), of, strict=True)
    ]
    table = sanity(Results(written), 0.1, ["fc9"], retrained=False)
    assert table.heads == ["fc9 random: abs ρ ↓"]
    assert table.lines["other"][0].best and table.lines["opposite"][0].text == "1.00"


def test_the_note_states_whether_inverters_were_retrained():
    layers = ["fc9", "conv1"]
    assert "none was trained" in sanity(Results([row("a", 1.0)]), 0.1, layers, retrained=False).note
    results = Results([row("a", 1.0, metric=f"retrained_abs_spearman/{layer}") for layer in layers])
    table = sanity(results, 0.1, layers, retrained=True)
    assert table.heads == ["retrained, fc9: abs ρ ↓", "retrained, conv1: abs ρ ↓"]
    assert "equally long" in table.note and "none was trained" not in table.note


def test_a_percentile_is_missing_for_methods_with_few_timings():
    written = [row(name, 1.0, metric="seconds_batch_1_median") for name in "ab"]
    table = cost(Results([*written, row("b", 18.05, metric="seconds_batch_1_p95")]), [1, 4], {"b": "7"})
    assert table.heads == ["batch 1, median (s) ↓", "batch 1, 95 % (s) ↓", "training (s)"]
    assert [[cell.text for cell in cells] for cells in table.lines.values()] == [["1", "–", "–"], ["1", "18.1", "7"]]
