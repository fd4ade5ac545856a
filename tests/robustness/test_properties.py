"""What holds of any label file, list, mask, threshold and sample of excerpts, tried with inputs nobody thought of."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svdx.corpora.file_lists import by_stem, find_audio, read_lines, refuse_repeats
from svdx.corpora.labels import read_change_points, read_lab, write_lab
from svdx.corpora.track import Segment
from svdx.data.excerpts import frame_labels, sample
from svdx.errors import CorpusError
from svdx.explanation.masks import apply_mask, largest_mask, normalise, relative_area, threshold_mask
from svdx.explanation.thresholds import Area, Fixed, Otsu

tried = settings(
    max_examples=40, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

TIMES = st.floats(0, 1e6) | st.integers(0, 1000).map(float)
FIELDS = st.sampled_from(
    ["0", "1.5", "2", "-1", "nan", "1e400", "1,5", "sing", "nosing", "m", "e", "x", "\x00", "é", "١"]
)
LINES = st.lists(st.lists(FIELDS, max_size=4).map(" ".join), max_size=6)
OVERLAPPING = st.tuples(*map(st.sampled_from, (["0", "0.5"], ["1", "2"], ["sing", "nosing"]))).map(" ".join)
FILES = st.one_of(
    st.lists(OVERLAPPING, max_size=4).map(lambda lines: "\n".join(lines).encode()),
    st.binary(max_size=200),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.tuples(LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])).map(
        lambda parts: parts[1].join(parts[0]).encode(parts[2])
    ),
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "a.lab"


def ascending(segments):
    times = [time for segment in segments for time in (segment.start, segment.end)]
    return times == sorted(times) and all(segment.start < segment.end for segment in segments)


@tried
@given(content=FILES)
def test_label_files_give_ascending_segments_or_a_one_line_error(file, content):
    file.write_bytes(content)
    for read in (read_lab, lambda path: read_change_points(path, 10.0)):
        try:
            assert ascending(read(file))
        except CorpusError as error:
            assert str(error).startswith(str(file)) and str(error).isprintable() and len(str(error)) < 600


@tried
@given(times=st.lists(TIMES, max_size=12, unique=True), vocal=st.lists(st.booleans(), min_size=12, max_size=12))
def test_segments_that_are_written_are_read_back(file, times, vocal):
    times = sorted(times)
    segments = tuple(Segment(*span) for span in zip(times[::2], times[1::2], vocal))
    write_lab(file, segments)
    if segments:
        assert read_lab(file) == segments


@tried
@given(content=FILES)
def test_lines_are_stripped_numbered_and_not_blank(file, content):
    file.write_bytes(content)
    lines = read_lines(file)
    assert all(line.text == line.text.strip() != "" and line.where.startswith(f"{file}:") for line in lines)
    assert not any("\n" in line.text or "\r" in line.text for line in lines)


@tried
@given(
    names=st.lists(st.text(st.characters(exclude_characters="/\0\r\n\ufeff", codec="utf-8"), min_size=1), min_size=1)
)
def test_lists_find_their_files_and_refuse_duplicates(tmp_path, names):
    names = [name.strip() for name in names if name.strip()]
    path = tmp_path / "list"
    path.write_text("".join(f"{name}.ogg\n" for name in names), encoding="utf-8", newline="\n")
    lines = read_lines(path)
    audio = by_stem({tmp_path / f"{name}.ogg" for name in names})
    for name, line in zip(names, lines, strict=True):
        try:
            assert find_audio(line, audio, "audio").name == f"{name}.ogg"
        except CorpusError as error:
            assert "could be" in str(error)  # two names that differ only in how an accent is written
    try:
        refuse_repeats([lines, lines[:1]])
    except CorpusError as error:
        assert "is already listed" in str(error)
    else:
        assert not lines


NUMBERS = st.floats(-50, 50, width=32) | st.sampled_from([0.0, 1.0, -1e30, 1e30])
PICTURES = st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(2, 4)).flatmap(
    lambda shape: st.lists(NUMBERS, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))).map(
        lambda numbers: torch.tensor(numbers).view(shape)
    )
)


@tried
@given(picture=PICTURES, threshold=st.floats(0, 1.1), higher=st.floats(0, 1.1))
def test_masks(picture, threshold, higher):
    threshold, higher = sorted((threshold, higher))
    salience = normalise(picture)
    assert ((salience >= 0) & (salience <= 1)).all()
    kept, fewer = threshold_mask(salience, threshold), threshold_mask(salience, higher)
    assert not (fewer & ~kept).any()
    assert torch.equal(threshold_mask(salience, threshold, "complement"), ~kept)
    assert threshold_mask(salience, 0).all() and not threshold_mask(salience, 1.1).any()
    masked = apply_mask(picture, kept, torch.tensor(7.0))
    assert torch.equal(masked[kept], picture[kept]) and (masked[~kept] == 7).all()
    assert ((relative_area(kept) >= relative_area(fewer)) & (relative_area(kept) <= 1)).all()


@tried
@given(picture=PICTURES, share=st.floats(0, 1))
def test_largest_mask_selects_the_requested_number_of_largest_bins(picture, share):
    n = round(share * picture[0].numel())
    mask = largest_mask(picture, torch.full((len(picture),), n))
    assert (mask.flatten(1).sum(1) == n).all()
    for bins, kept in zip(picture, mask):
        assert not kept.any() or kept.all() or bins[kept].min() >= bins[~kept].max()


@tried
@given(picture=PICTURES, number=st.floats(0, 1.1), area=st.floats(0, 1))
def test_thresholds_cut_each_excerpt_as_if_it_were_alone(picture, number, area):
    salience = normalise(picture)
    for choice in (Fixed(number), Area(area), Otsu()):
        cut = choice(None, None, salience)
        assert cut.salient.shape == salience.shape and cut.threshold.shape == (len(salience),)
        for i in range(len(salience)):
            alone = choice(None, None, salience[i : i + 1])
            assert torch.equal(alone.salient[0], cut.salient[i]) and alone.threshold[0] == cut.threshold[i]
            left = salience[i][~cut.salient[i]]
            assert (salience[i][cut.salient[i]] >= cut.threshold[i]).all()
            assert (left <= cut.threshold[i]).all()
            assert isinstance(choice, Area) or (left < cut.threshold[i]).all()
    n_bins = salience[0].numel()
    for kept, values in zip(Area(area)(None, None, salience).salient, salience, strict=True):
        is_flat = values.max() == values.min() and round(area * n_bins) < n_bins
        assert kept.sum() == (0 if is_flat else round(area * n_bins))


@tried
@given(
    lengths=st.lists(st.integers(0, 300), max_size=6),
    sampling=st.sampled_from(["random", "tracks", "released", "all"]),
    n=st.integers(1, 200),
    seed=st.integers(0, 2**32),
    hop=st.integers(1, 400),
)
def test_sampled_excerpts_are_distinct_sorted_and_in_range(lengths, sampling, n, seed, hop):
    tracks, frames = sample(lengths, 70.0, sampling, n, seed, hop)
    drawn = list(zip(tracks.tolist(), frames.tolist(), strict=True))
    assert drawn == sorted(set(drawn))
    assert all(0 <= frame < lengths[track] for track, frame in drawn)
    if sampling in ("random", "tracks"):
        assert len(drawn) == min(n, sum(lengths))
    if sampling == "tracks":
        counts = [tracks.tolist().count(track) for track in range(len(lengths))]
        most = max(counts, default=0)
        assert all(count == length or count >= most - 1 for count, length in zip(counts, lengths))
    again = sample(lengths, 70.0, sampling, n, seed, hop)
    assert np.array_equal(tracks, again[0]) and np.array_equal(frames, again[1])


@tried
@given(times=st.lists(TIMES, max_size=10), n_frames=st.integers(0, 200), vocal=st.booleans())
def test_frames_have_the_label_of_their_segment(times, n_frames, vocal):
    times = sorted(times)
    segments = [Segment(start, end, vocal) for start, end in zip(times[::2], times[1::2])]
    expected = [any(s.start <= i / 70 < s.end and s.vocal for s in segments) for i in range(n_frames)]
    assert frame_labels(segments, n_frames, 70.0).tolist() == expected
