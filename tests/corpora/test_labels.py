"""Label files: parsing, tolerances and error messages."""

from pathlib import Path

import pytest

from svdx.corpora.labels import check_time_unit, is_lab, read_change_points, read_lab, write_lab
from svdx.corpora.track import Segment, Track
from svdx.errors import CorpusError


@pytest.fixture
def lab(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "song.lab"
        path.write_bytes(text.encode(encoding))
        return path

    return write


def test_segments_in_order(lab):
    segments = read_lab(lab("0.000 1.5 nosing\n1.5 2.25 sing\n4 5 sing\n"))
    assert segments == (Segment(0, 1.5, False), Segment(1.5, 2.25, True), Segment(4, 5, True))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_any_white_space_line_end_and_encoding(lab, encoding):
    assert read_lab(lab("0\t1.5   sing\r\n\r\n  1.5 2 nosing \r", encoding)) == (
        Segment(0, 1.5, True),
        Segment(1.5, 2, False),
    )


def test_an_overlap_of_a_millisecond_is_rounding(lab):
    assert read_lab(lab("0 1.001 sing\n1.000 2 nosing\n")) == (Segment(0, 1.001, True), Segment(1.001, 2, False))


def test_segments_of_no_length_are_dropped(lab):
    assert read_lab(lab("0 1 sing\n1 1 nosing\n1 2 sing\n")) == (Segment(0, 1, True), Segment(1, 2, True))
    assert read_lab(lab("0 1 sing\n0.9995 1 nosing\n1 2 sing\n")) == (Segment(0, 1, True), Segment(1, 2, True))


def test_audacitys_lines_of_spectral_selections_are_ignored(lab):
    audacity = "0.000000\t1.500000\tsing\n\\\t1000.000000\t2000.000000\n1.500000\t3.000000\tnosing\n\\\t-1.0\t-1.0\n"
    assert read_lab(lab(audacity)) == (Segment(0, 1.5, True), Segment(1.5, 3, False))
    assert read_lab(lab(audacity.replace("\n", "\r\n"), "utf-8-sig")) == read_lab(lab(audacity))
    with pytest.raises(CorpusError, match=r"song\.lab: empty"):
        read_lab(lab("\\\t1000\t2000\n"))
    with pytest.raises(CorpusError, match=r"song\.lab:3: "):
        read_lab(lab("0 1 sing\n\\\t1000\t2000\n1 2 loud\n"))


def test_the_label_extension_ignores_case():
    assert all(is_lab(Path(name)) for name in ("a.lab", "a.LAB", "a b.Lab"))
    assert not any(is_lab(Path(name)) for name in ("a.txt", "lab", "a.lab.wav", "a.labs"))


UNITS = [
    (3000, 3, "milliseconds: 3000 for a track of 3.0 s"),
    (2400, 3, "milliseconds"),
    (211_000, 212, "milliseconds"),
    (66150, 3, "samples at 22.05 kHz: 66150 for a track of 3.0 s"),
    (132300, 3, "samples at 44.1 kHz"),
    (144000, 3, "samples at 48 kHz"),
    (48000, 3, "samples at 16 kHz"),
    (9000 * 44100, 9000, "samples at 44.1 kHz"),
    (300, 3, "frames or hundredths of a second"),
    (14_000, 200, "frames or hundredths of a second"),
    (3_000_000, 3, "microseconds"),
    (30_000_000, 3, "HTK's units of 100 ns"),
    (3e12, 3, "another unit"),
    (75, 3, "frames or hundredths of a second"),
]


def track(*ends):
    segments = tuple(Segment(start, end, True) for start, end in zip((0, *ends), ends))
    return Track("a", Path("audio/a.wav"), segments, labels=Path("labels/a.lab"))


@pytest.mark.parametrize(("end", "duration", "unit"), UNITS)
def test_times_in_another_unit_are_refused_with_its_name(end, duration, unit):
    with pytest.raises(CorpusError) as error:
        check_time_unit(track(end / 2, end), duration)
    assert str(error.value).startswith(f"labels/a.lab: looks like {unit}")
    assert str(error.value).endswith("write seconds") and "\n" not in str(error.value)


@pytest.mark.parametrize(("end", "duration"), [(3.05, 3), (4, 3), (1, 3), (200.9, 200), (0.5, 3), (5, 240)])
def test_plausible_times_are_accepted(end, duration, caplog):
    check_time_unit(track(end), duration)
    check_time_unit(track(), duration)
    assert not caplog.records


@pytest.mark.parametrize(
    ("end", "duration", "message"),
    [
        (202, 200, "are both of one recording?"),
        (9, 4, "are both of one recording?"),
        (200, 30, "are both of one recording?"),  # a preview, from the beginning
        (4, 240, "if these are minutes, write seconds"),
        (2, 240, "if these are minutes, write seconds"),
        (0.06, 216, "if these are hours, write seconds"),
    ],
)
def test_unlikely_times_are_a_warning(end, duration, message, caplog):
    check_time_unit(track(end), duration)
    (record,) = caplog.records
    assert record.message.startswith(f"labels/a.lab: ends at {end:g} s, a.wav at {duration}.0 s; {message}")


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("0 1 sing\n0.998 2 nosing\n", 2, "before the segment above ends at 1 s"),
        ("5 6 sing\n0 1 nosing\n", 2, "lines must ascend in time"),
        ("0 5 sing\n1 2 nosing\n5 6 sing\n", 2, "without overlap"),
        ("2 1 sing\n", 1, "ends at 1 s, before it starts at 2 s"),
        ("-1 1 sing\n", 1, "found the time '-1'"),
        ("0 nan sing\n", 1, "found the time 'nan'"),
        ("0 inf sing\n", 1, "found the time 'inf'"),
        ("0 1_5 sing\n", 1, "found the time '1_5'"),
        ("\n0 one sing\n", 2, "found the time 'one'"),
        ("0 1,5 sing\n", 1, "write a decimal point, not a comma"),
        ("0 1\n", 1, "found '0 1'"),
        ("0 1 sing loud\n", 1, "expected 'start end sing' or 'start end nosing'"),
        ("0 1 nosing\n1 2 Sing\n", 2, "found the word 'Sing'"),
        ("0 1 " + "na" * 500, 1, "found the word 'nanana"),
    ],
)
def test_malformed_lines_are_refused(lab, text, line, problem):
    path = lab(text)
    with pytest.raises(CorpusError) as error:
        read_lab(path)
    message = str(error.value)
    assert message.startswith(f"{path}:{line}: ")
    assert problem in message
    assert "\n" not in message
    assert len(message) < 400


def test_empty_and_unreadable(lab, tmp_path):
    with pytest.raises(CorpusError, match=r"song\.lab: empty; .*0 LENGTH nosing"):
        read_lab(lab(" \n\n"))
    with pytest.raises(CorpusError, match="cannot be read"):
        read_lab(tmp_path)


def test_written_labels_are_read_back_exactly(tmp_path):
    segments = (Segment(0, 1 / 3, False), Segment(1 / 3, 0.1 + 0.2 + 1, True), Segment(1e9, 2e9, False))
    write_lab(tmp_path / "song.lab", segments)
    assert read_lab(tmp_path / "song.lab") == segments
    assert (tmp_path / "song.lab").read_bytes().startswith(b"0.0 0.3333333333333333 nosing\n")


def test_change_points_hold_until_the_next(tmp_path):
    path = tmp_path / "RM-P001.VOCA_INST.TXT"
    path.write_bytes(b"0.0\te\r\n0.5\tb\r\n2.0\tm:lead\r\n3.0\tf\r\n3.0\tg\r\n4.0\ts:guitar solo\r\n9.5\te\r\n")
    assert [(s.start, s.end, s.vocal) for s in read_change_points(path, duration=10)] == [
        (0, 0.5, False),
        (0.5, 2, False),
        (2, 3, True),
        (3, 4, True),
        (4, 9.5, False),
        (9.5, 10, False),
    ]


def test_the_last_change_point_runs_to_the_end_of_the_track(tmp_path):
    path = tmp_path / "RM-P001.VOCA_INST.TXT"
    path.write_bytes(b"1.0\tm\r\n")
    assert read_change_points(path, duration=10) == (Segment(1, 10, True),)
    assert read_change_points(path, duration=0.5) == ()


@pytest.mark.parametrize(
    ("text", "where", "problem"),
    [
        ("0\tb\n1\tx\n", ":2: ", "first letter is one of m, f, g, b, n, p, e, s; found 'x'"),
        ("2\tb\n1\tm\n", ":2: ", "times must ascend"),
        ("0\n", ":1: ", "expected 'time label'"),
        ("zero\tm\n", ":1: ", "found the time 'zero'"),
        ("nan\tm\n", ":1: ", "found the time 'nan'"),
        ("", ": ", "empty"),
    ],
)
def test_change_points_refused(tmp_path, text, where, problem):
    path = tmp_path / "RM-P001.VOCA_INST.TXT"
    path.write_text(text)
    with pytest.raises(CorpusError) as error:
        read_change_points(path, duration=10)
    assert str(error.value).startswith(f"{path}{where}")
    assert problem in str(error.value)
