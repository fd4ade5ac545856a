"""curve.csv: its columns, reading and writing, and the lines of the log."""

import csv
import math

import pytest

from svdx.errors import ConfigError
from svdx.evaluation.curve import (
    COLUMNS,
    RUN,
    TARGET_AREA,
    curve_lines,
    group_curves,
    is_over_areas,
    read_curve,
    target_area,
    write_curve,
)

CONTRACT = (
    "explainer,data,split,keep,fill,threshold,n,flips,explanation_loss_percent,relative_area_percent,"
    "n_vocal,flips_vocal,n_nonvocal,flips_nonvocal,balanced_loss_percent,ci_low,ci_high,"
    "balanced_ci_low,balanced_ci_high"
)


def row(threshold, **changed):
    numbers = dict(n=3, flips=1, n_vocal=2, flips_vocal=1, n_nonvocal=1, flips_nonvocal=0)
    shares = dict(explanation_loss_percent=100 / 3, relative_area_percent=1e-7, balanced_loss_percent=25.0)
    text = dict(explainer="inversion", data='my, "own"', split="valid+test", keep="salient", fill="mean")
    shares |= dict(balanced_ci_low=12.5, balanced_ci_high=60.0)
    return {"ci_high": 66.6, "ci_low": 0.1 + 0.2, **shares, **numbers, "threshold": threshold, **text, **changed}


def test_the_first_line_is_the_contract_whatever_the_order_in_the_rows(tmp_path):
    write_curve([row(0.1)], tmp_path / "curve.csv")
    with (tmp_path / "curve.csv").open(newline="") as file:
        assert next(csv.reader(file)) == CONTRACT.split(",") == list(COLUMNS)
    assert (tmp_path / "curve.csv").read_text().splitlines()[0] == CONTRACT


def test_rows_are_read_as_they_were_written_to_the_last_digit_and_of_the_same_types(tmp_path):
    rows = [row(0.1), row(0.7, n=0, flips=0)]
    write_curve(rows, tmp_path / "curve.csv")
    found = read_curve(tmp_path / "curve.csv")
    assert found == rows
    assert [type(found[0][key]) for key in rows[0]] == [type(value) for value in rows[0].values()]


def test_nan_is_written_as_an_empty_cell(tmp_path):
    nothing = dict.fromkeys(("balanced_loss_percent", "ci_low", "ci_high"), math.nan)
    write_curve([row(0.0, **nothing)], tmp_path / "curve.csv")
    assert "nan" not in (tmp_path / "curve.csv").read_text()
    found = read_curve(tmp_path / "curve.csv")[0]
    assert all(math.isnan(found.pop(name)) for name in nothing)
    assert found == {key: value for key, value in row(0.0).items() if key not in nothing}


def of_a_spreadsheet(text, delimiter=";"):
    """A CSV as Excel saves it with a locale of decimal commas."""
    return "".join(
        delimiter.join(cell.replace(".", ",") for cell in cells) + "\r\n" for cells in csv.reader(text.splitlines())
    )


SPREADSHEETS = {
    "byte order mark": lambda text: "\ufeff" + text,
    "line ends": lambda text: text.replace("\n", "\r\n"),
    "semicolons": of_a_spreadsheet,
    "semicolons, points": lambda text: "".join(";".join(row) + "\n" for row in csv.reader(text.splitlines())),
    "tabs, byte order mark": lambda text: "\ufeff" + of_a_spreadsheet(text, "\t"),
    "hint": lambda text: "sep=;\r\n" + of_a_spreadsheet(text),
    "empty rows": lambda text: of_a_spreadsheet(text) + 18 * ";" + "\r\n\r\n",
    "further columns": lambda text: "".join(f"{line},,mine\n" for line in text.splitlines()),
}


@pytest.mark.parametrize("kind", SPREADSHEETS)
def test_a_curve_that_a_spreadsheet_has_saved_is_read(tmp_path, kind):
    rows = [row(0.1, data="folder", ci_low=math.nan), row(0.7, data="folder", n=0)]
    write_curve(rows, tmp_path / "curve.csv")
    text = SPREADSHEETS[kind]((tmp_path / "curve.csv").read_text())
    (tmp_path / "saved.csv").write_text(text, encoding="utf-8", newline="")
    found = [{key: point[key] for key in COLUMNS} for point in read_curve(tmp_path / "saved.csv")]
    assert found == [pytest.approx(point, nan_ok=True) for point in rows]
    assert [type(value) for value in found[0].values()] == [type(rows[0][key]) for key in found[0]]


def test_writing_replaces_an_older_curve(tmp_path):
    path = tmp_path / "curve.csv"
    write_curve([row(0.1), row(0.2)], path)
    write_curve([row(0.9)], path)
    assert [point["threshold"] for point in read_curve(path)] == [0.9]
    assert [file.name for file in tmp_path.iterdir()] == ["curve.csv"]


@pytest.mark.parametrize("bad", [{"unknown": 1}, None])
def test_an_older_curve_survives_rows_that_cannot_be_written(tmp_path, bad):
    path = tmp_path / "curve.csv"
    write_curve([row(0.1)], path)
    with pytest.raises((ValueError, AttributeError, TypeError)):
        write_curve([row(0.2), bad], path)
    assert [point["threshold"] for point in read_curve(path)] == [0.1]


@pytest.mark.parametrize(
    "text", [CONTRACT + "\ninversion,a,test,salient,mean,zero" + ",1" * 13 + "\n", CONTRACT + "\ninversion,a,test\n"]
)
def test_invalid_numbers_are_refused_with_file_and_row(tmp_path, text):
    path = tmp_path / "curve.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"curve\.csv: row 1: \w+ is '\w*', expected a number") as error:
        read_curve(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00la", b"\xe9,\n", b"\x89PNG\r\n\x1a\n"])
def test_binary_files_are_refused(tmp_path, data):
    (tmp_path / "curve.csv").write_bytes(data)
    with pytest.raises(ConfigError, match=r"curve\.csv: not a curve\.csv: it is not UTF-8 text"):
        read_curve(tmp_path / "curve.csv")


@pytest.mark.parametrize("text", ["", CONTRACT + "\n", "threshold,insertion_auc\n0.5,0.5\n"])
def test_another_table_and_a_curve_without_points_are_refused(tmp_path, text):
    (tmp_path / "curve.csv").write_text(text)
    with pytest.raises(ConfigError, match=r"expected the columns explainer, data, .* and at least one row"):
        read_curve(tmp_path / "curve.csv")


def test_a_missing_curve_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.csv"):
        read_curve(tmp_path / "nowhere.csv")


def test_a_line_gives_the_loss_with_interval_and_classes():
    (line,) = curve_lines([row(0.6, data="jamendo", ci_low=0.25)], empty=57.77)
    assert line == (
        "inversion, threshold 0.6: explanation loss 33.3 % [0.2, 66.6], empty mask 57.8 %, n = 3 "
        "(singing 1/2, no singing 0/1, balanced 25.0 % [12.5, 60.0]), area 0.0 %"
    )


def test_a_line_without_intervals_has_no_brackets():
    nothing = dict.fromkeys(("ci_low", "ci_high", "balanced_ci_low", "balanced_ci_high"), math.nan)
    (line,) = curve_lines([row(0.6, **nothing)], empty=57.77)
    assert line == (
        "inversion, threshold 0.6: explanation loss 33.3 %, empty mask 57.8 %, n = 3 "
        "(singing 1/2, no singing 0/1, balanced 25.0 %), area 0.0 %"
    )


def test_controls_follow_the_explanation_of_the_same_area():
    rows = [row(0.5), row(0.6), row(0.6, explainer="energy", explanation_loss_percent=8.04)]
    without, with_control = curve_lines(rows, empty=50)
    assert "same area" not in without
    assert with_control.endswith("area 0.0 %; same area: energy 8.0 % (balanced 25.0 %)")


def test_rows_are_grouped_by_differing_columns_and_sorted_by_threshold():
    rows = [row(0.2), row(0.1, explainer="random"), row(0.1)]
    assert group_curves(rows) == {"inversion": [rows[2], rows[0]], "random": [rows[1]]}
    by_fill = [row(0.1, fill="zero"), row(0.1)]
    assert list(group_curves(by_fill)) == ["zero", "mean"]


def test_requested_areas_are_an_additional_column(tmp_path):
    over_areas = [
        row(0.8, explainer="energy", **{TARGET_AREA: 5.0}),
        row(0.4, explainer="energy", **{TARGET_AREA: 20.0}),
    ]
    write_curve(over_areas, tmp_path / "curve.csv")
    assert (tmp_path / "curve.csv").read_text().splitlines()[0] == f"{CONTRACT},{TARGET_AREA}"
    assert read_curve(tmp_path / "curve.csv") == over_areas
    write_curve([row(0.1), *over_areas], tmp_path / "curve.csv")
    found = read_curve(tmp_path / "curve.csv")
    assert [target_area(each) for each in found] == [None, 5, 20]
    assert is_over_areas(found) and not is_over_areas([row(0.1)])


def test_a_curve_over_areas_is_sorted_by_area():
    areas = [row(1.0, **{TARGET_AREA: area}) for area in (2.0, 1.0)] + [row(0.4, **{TARGET_AREA: 30.0})]
    assert [point[TARGET_AREA] for point in group_curves(areas)["inversion"]] == [1, 2, 30]
    others = [each | {"explainer": "energy", "explanation_loss_percent": each[TARGET_AREA]} for each in areas]
    lines = curve_lines([*areas, *others], empty=50)
    assert lines[0].startswith("inversion, best 2 % of the area (mean threshold 1): explanation loss 33.3 % [")
    assert [line.partition("same area: ")[2] for line in lines] == [
        f"energy {area:.1f} % (balanced 25.0 %)" for area in (2, 1, 30)
    ]


def test_names_in_a_sweep_over_explainers_do_not_repeat_the_explainer():
    rows = [row(0.1, **{RUN: "explainer=inversion"}), row(0.1, explainer="energy", **{RUN: "explainer=energy"})]
    control = row(0.1, explainer="energy", **{RUN: "explainer=inversion"})
    assert list(group_curves([*rows, control])) == ["inversion", "energy", "energy, explainer=inversion"]


def test_rows_of_a_sweep_name_their_run(tmp_path):
    rows = [row(0.1) | {RUN: "seed=0"}, row(0.1) | {RUN: "seed=1"}]
    write_curve(rows, tmp_path / "curve.csv")
    assert read_curve(tmp_path / "curve.csv") == rows
    assert list(group_curves(rows)) == ["seed=0", "seed=1"]
