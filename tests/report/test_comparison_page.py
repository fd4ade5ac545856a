"""Page and figures of a comparison."""

from dataclasses import replace

import numpy as np
import pytest

from svdx.comparison.results import Results, rows
from svdx.report.comparison_figures import equal_area_figure, excerpts_figure
from svdx.report.comparison_page import insignificant, warnings
from tests.support.study import small_study


@pytest.fixture
def study():
    return small_study()


def test_curves_are_those_of_the_rows(study):
    results = Results(rows(study, 50))
    figure = equal_area_figure(results, study)
    panels = [axes for axes in figure.axes if axes.lines]
    assert len(panels) == 4 and all(axes.get_xscale() == "log" for axes in panels)
    (inversion, chance, nothing) = panels[3].lines
    expected = [results.value("random", "deletion_percent", "floor", area, "balanced") for area in study.areas]
    assert chance.get_ydata().tolist() == expected and chance.get_color() == "black"
    assert inversion.get_label() == "inversion"
    assert nothing.get_label() == "empty mask" and set(nothing.get_ydata()) == {50.0}  # nobody sings: half is lost


def test_excerpts_figure_has_a_row_per_method_and_a_column_per_excerpt(study, frontend):
    figure = excerpts_figure(study, frontend, 0.25)
    assert "the best 25 %" in figure.get_suptitle()
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["input", "inversion", "random"]
    shown = figure.axes[2].images[0].get_array()
    score = study.methods["inversion"]["picture"][0].T
    assert (np.argsort(shown.ravel()) == np.argsort(score.ravel())).all()  # brighter where the score is greater
    assert "d\n" in figure.axes[1].get_title()


def test_only_applicable_warnings_are_given(study):
    assert ["4 tracks" in text for text in warnings(study, "test", [])] == [False, False, True, True]
    changed = ["compare.shown=0.2"]
    assert any("compare.shown=0.2" in text and "optimistic" in text for text in warnings(study, "test", changed))
    assert not any("optimistic" in text for text in warnings(study, "valid", changed))
    assert any("training tracks" in text for text in warnings(study, "train+test", []))
    few = replace(study, localised=np.arange(7) < 5)
    assert any("label of only 5 excerpts" in text for text in warnings(few, "test", []))


def test_columns_without_possible_significance_are_named(study):
    """The least p of two methods is 2 ** (1 - T): 0.125 with four tracks, 0.03 with six."""
    kinds = ("of all excerpts", "of the voice", "of sanity")

    def named(**more):
        sentences = insignificant(replace(study, track=np.arange(7), **more))
        return [kind for kind in kinds if any(f"columns {kind}: " in text for text in sentences)]

    assert "with 4 tracks and 2 methods the smallest possible p is 0.12." in insignificant(study)[0]
    assert named() == []
    assert named(localised=np.arange(7) < 5) == ["of the voice"]
    few = {"deterministic": np.where(np.arange(7) < 2, 1.0, np.nan)}
    assert named(methods={name: found | few for name, found in study.methods.items()}) == ["of sanity"]
    many = {**study.methods, **{f"m{number}": study.methods["random"] for number in range(5)}}
    assert named(methods=many) == ["of all excerpts"]
    assert named(methods={name: many[name] for name in many if name != "inversion"}) == []
