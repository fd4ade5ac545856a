"""The HTML page: complete in itself, safe with any file name, and its sounds are the samples."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

from svdx.corpora.track import Segment, Track
from svdx.report.facts import facts_of, percent
from svdx.report.page import FADE, explanation_page
from svdx.report.page_data import faded, sound_uri
from svdx.report.slider import THRESHOLDS
from tests.support.results import make_result

EVIL = "<script>alert('x')</script>&\"quoted\".mp3"
FILE = EVIL.replace("/", "|")
RATE, FRAMES = 22050, 12
WHOLE = np.linspace(-0.9, 0.9, 3000)
KEPT = {0.3: 0.5 * WHOLE, 0.6: 0.5 * np.sin(np.arange(3000) / 5)}


class Page(HTMLParser):
    """Tags with attributes, and the text inside each kind of tag."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.texts, self.inside = [], {}, None
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_data(self, data):
        if data.strip():
            self.texts.setdefault(self.inside, []).append(data.strip())

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def make(frontend):
    """`make(keep="salient", voice=None, timeline=None, …)` → the page of a log-mel of 12 frames."""
    random = np.random.default_rng(0)
    logmel, salience = random.normal(size=(FRAMES, 80)), random.random((FRAMES, 80)).astype(np.float32)

    def page(name=EVIL, segments=(), **options):
        track = Track(name, Path(FILE), segments)
        result = make_result(frontend, logmel, salience, WHOLE, KEPT, track=track, **options)
        return explanation_page(result, facts_of(result))

    page.salience = salience
    return page


@pytest.fixture(scope="module")
def html(make):
    return make()


def data(html):
    """What the page's script reads."""
    return json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)[1])


def test_the_page_needs_nothing_beside_itself(html):
    attributes = [pair for _, attributes in Page(html).tags for pair in attributes.items()]
    sources = [value for name, value in attributes if name in SOURCES]
    assert len(sources) == 4
    assert all(source.startswith(("data:,", "data:audio/wav;base64,")) for source in sources)
    bare = re.sub(r"data:[^\"]*", "", html)
    assert not re.search(r"https?:|url\(|@import|fetch\(|XMLHttpRequest|import\(", bare)


def test_the_page_of_an_excerpt_is_small(html):
    assert len(html) < 100_000  # the curve's sounds of a real excerpt add 2.5 MB


SOURCES = ("src", "href", "srcset", "data", "poster", "action")


def test_titles_and_facts_are_text_whatever_they_hold(html):
    page = Page(html)
    assert page.of("script") == [{"type": "application/json", "id": "data"}, {}]
    assert EVIL not in html and FILE not in html
    assert page.texts["title"] == page.texts["h1"] == [f"{EVIL}, from 1.5 s"]
    assert page.texts["td"][0] == FILE


def decoded(uri):
    kind, _, code = uri.partition(",")
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(code)), dtype="float32")
    assert rate == RATE
    return kind, samples


def test_the_players_hold_the_whole_and_the_parts_at_the_explainers_threshold(html):
    players = {attributes["id"]: attributes for attributes in Page(html).of("audio")}
    assert list(players) == ["whole", "kept", "removed"]
    expected = {"whole": WHOLE, "kept": KEPT[0.6], "removed": WHOLE - KEPT[0.6]}
    loudest = max(np.abs(sound).max() for sound in [*expected.values(), WHOLE - KEPT[0.3]])
    gain = faded(len(WHOLE), round(FADE * RATE)) / loudest
    for name, attributes in players.items():
        kind, samples = decoded(attributes["src"])
        assert kind == "data:audio/wav;base64" and "controls" in attributes
        np.testing.assert_allclose(samples, gain * expected[name], atol=2 / 2**15)


def test_every_control_has_a_label(html):
    page = Page(html)
    labelled = {attributes["for"] for attributes in page.of("label")}
    assert {attributes["id"] for tag in ("audio", "input") for attributes in page.of(tag)} == labelled
    (position,) = (attributes for attributes in page.of("div") if attributes.get("role") == "slider")
    assert position["tabindex"] == "0" and position["aria-label"]
    assert re.search(rf'<span id="{position["aria-describedby"]}">[^<]*Enter and the arrow keys', html)
    (canvas,) = page.of("canvas")
    assert len(canvas["aria-label"]) > 20
    assert re.search(r'role="slider"[^>]*></div>', html)  # what is inside a slider is not read out


def test_a_step_of_the_slider_is_announced_once(html):
    page = Page(html)
    assert [attributes["id"] for _, attributes in page.tags if "aria-live" in attributes] == ["status"]
    assert not page.of("output")  # live of itself


def test_the_script_gets_the_sounds_that_are_not_in_the_players(html):
    found = data(html)
    assert found["steps"][found["start"]] == 0.6
    (sound,) = found["sounds"]
    assert found["steps"][sound["step"]] == 0.3
    whole = next(attributes["src"] for attributes in Page(html).of("audio") if attributes["id"] == "whole")
    parts = [decoded(sound[name])[1] for name in ("kept", "removed")]
    np.testing.assert_allclose(sum(parts), decoded(whole)[1], atol=3 / 2**15)
    for part in parts:  # cut out of a track, it does not begin or end with a click
        assert np.abs(part[[0, -1]]).max() < 0.01 < 0.1 < np.abs(part[[110, -110]]).max()


@pytest.mark.parametrize("keep", ["salient", "complement"])
def test_the_levels_are_the_masks(make, keep):
    found = data(make(keep=keep))
    assert found["complement"] == (keep == "complement")
    levels = np.frombuffer(base64.b64decode(found["levels"]), np.uint8).reshape(found["frames"], found["bands"])
    for number, step in enumerate(THRESHOLDS.steps(list(KEPT))):
        assert np.array_equal(levels >= number, make.salience >= step)


def test_a_row_for_each_threshold(html):
    page = Page(html)
    assert page.texts["button"] == ["0.3", "0.6"]
    steps = [int(row["data-step"]) for row in page.of("tr") if "data-step" in row]
    assert [data(html)["steps"][step] for step in steps] == [0.3, 0.6]


def test_a_label_is_coloured_by_whether_it_was_kept(make):
    page = make(as_sound=0.1)
    assert [cell.get("class") for cell in Page(page).of("td")][-6:] == [None, "kept", "flipped"] * 2
    assert Page(page).texts["td"][-2:] == ["kept (p\u00a0=\u00a00.900)", "flipped (p\u00a0=\u00a00.100)"]
    of_track = Page(make(timeline=(np.array([0.1]), np.array([0.1]))))
    assert [cell.get("class") for cell in of_track.of("td")][-2:] == [None, None]
    assert of_track.texts["td"][-1] == "kept in 1 of 1 (100 %)"


def test_a_position_without_sound_has_a_dash(make, frontend):
    salience = np.random.default_rng(0).random((FRAMES, 80))
    result = make_result(frontend, salience, salience, WHOLE, {0.3: None, 0.6: KEPT[0.6]})
    page = explanation_page(result, facts_of(result))
    assert [row["as_sound"] is None for row in data(page)["curve"]] == [True, False]
    assert "—" in Page(page).texts["td"]


def test_the_true_voice_is_outlined_where_it_is_known(make, html):
    assert 'class="voice"' not in html and "Outlined" not in html and data(html)["voice"] is None
    voice = np.random.default_rng(1).random((FRAMES, 80)) > 0.5
    page = make(voice=voice)
    assert 'class="voice"' in page and "Outlined" in page
    bits = np.unpackbits(np.frombuffer(base64.b64decode(data(page)["voice"]), np.uint8))
    assert np.array_equal(bits[: voice.size].reshape(voice.shape), voice)


def test_a_timeline_is_drawn_to_scale(make, frontend):
    seconds = FRAMES / frontend.frame_rate
    times, probability = seconds * np.array([0.25, 0.75]), np.array([1.0, 0.2])
    page = make(timeline=(times, probability), segments=(Segment(0, 0.01, False), Segment(seconds / 2, 9.0, True)))
    svg = {tag: attributes for tag, attributes in Page(page).tags if tag in ("rect", "line", "path", "svg")}
    assert svg["path"]["d"] == "M250.0 0.0L750.0 80.0"
    assert (svg["line"]["y1"], svg["line"]["y2"]) == ("34.0", "34.0")
    assert (svg["rect"]["x"], svg["rect"]["width"]) == ("500.0", "500.0")
    assert "Shaded: labelled" in page and "in 50 % of it" in svg["svg"]["aria-label"]
    assert "Shaded" not in make(timeline=(times, probability))


def test_long_sounds_are_mp3_and_stay_where_they_are():
    time = np.arange(11 * RATE) / RATE
    clicks = np.where(time**1.5 % 1 < 0.05, 0.5 * np.sin(2 * np.pi * 1000 * time), 0)  # ever closer
    kind, samples = decoded(sound_uri(clicks, RATE))
    assert kind == "data:audio/mpeg;base64"
    lag = np.correlate(samples[: 5 * RATE], clicks[: 4 * RATE]).argmax()
    assert lag < 0.06 * RATE
    assert len(sound_uri(clicks, RATE)) < 4 / 3 * 11 * 64_000 / 8 * 1.1


@pytest.mark.parametrize(
    "count, size, text", [(0, 8, "0.0 %"), (8, 8, "100.0 %"), (1, 400, "0.3 %"), (3, 16, "18.8 %")]
)
def test_shares_are_rounded_half_up(count, size, text):
    assert percent(count, size) == text


def test_the_page_declares_its_language_and_encoding(html):
    page = Page(html)
    assert page.of("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in page.of("meta")
