"""The HTML page: complete in itself, safe with any file name, and its sounds are the samples."""

import base64
import io
import re
from html.parser import HTMLParser

import pytest
import soundfile
import torch
from matplotlib.figure import Figure

from svdx.explain import Explanation
from svdx.report import explanation_facts, explanation_page

EVIL = "<script>alert('x')</script>&\"quoted\".mp3"
SOUNDS = {
    "excerpt": torch.linspace(-0.9, 0.9, 3000),
    "explanation": 0.5 * torch.sin(torch.arange(2000) / 5),
}


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
def html():
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([0, 1])
    return explanation_page(EVIL, {"label": "kept", EVIL: EVIL}, figure, SOUNDS, 22050)


def test_the_page_needs_nothing_beside_itself(html):
    sources = [value for _, attributes in Page(html).tags for name, value in attributes.items() if name in SOURCES]
    assert len(sources) == 3
    assert all(source.startswith(("data:image/png;base64,", "data:audio/wav;base64,")) for source in sources)
    bare = re.sub(r"data:[^\"]*", "", html)
    assert not re.search(r"https?:|//|url\(|@import", bare.replace("<!DOCTYPE html>", ""))


SOURCES = ("src", "href", "srcset", "data", "poster", "action")


def test_titles_and_facts_are_text_whatever_they_hold(html):
    page = Page(html)
    assert page.of("script") == []
    assert "<script" not in html
    assert page.texts["title"] == page.texts["h1"] == [EVIL]
    assert page.texts["th"] == ["label", EVIL]
    assert page.texts["td"] == ["kept", EVIL]


def test_names_of_sounds_are_escaped_too():
    page = Page(explanation_page("t", {}, Figure(figsize=(1, 1)), {EVIL: SOUNDS["excerpt"]}, 22050))
    assert page.of("script") == []
    assert page.texts["label"] == [EVIL]


def test_the_sounds_decode_to_the_samples(html):
    page = Page(html)
    assert page.texts["label"] == list(SOUNDS)
    for attributes, samples in zip(page.of("audio"), SOUNDS.values(), strict=True):
        wav = base64.b64decode(attributes["src"].partition(",")[2])
        decoded, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
        assert rate == 22050
        assert "controls" in attributes
        assert decoded.shape == samples.shape
        assert torch.allclose(torch.from_numpy(decoded), samples, atol=2 / 2**15)


def test_the_picture_is_a_png_with_words_for_those_who_cannot_see_it(html):
    (image,) = Page(html).of("img")
    assert base64.b64decode(image["src"].partition(",")[2]).startswith(b"\x89PNG\r\n")
    assert len(image["alt"]) > 20


def test_the_page_says_its_language_and_encoding(html):
    page = Page(html)
    assert page.of("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in page.of("meta")


@pytest.mark.parametrize(
    "before, after, facts",
    [
        (0.9, 0.66, ("singing (p = 0.900)", "no singing (p = 0.660)", "flipped")),
        (0.9, 0.7, ("singing (p = 0.900)", "singing (p = 0.700)", "kept")),
        (0.1, 0.7, ("no singing (p = 0.100)", "singing (p = 0.700)", "flipped")),
        (0.1, 0.2, ("no singing (p = 0.100)", "no singing (p = 0.200)", "kept")),
    ],
)
def test_facts_say_what_was_heard_before_and_after(before, after, facts):
    bins = torch.zeros(1, 4, 4)
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, 0, :3] = True
    heard = Explanation(bins, bins, bins, mask, bins, torch.tensor([before]), torch.tensor([after]), 0.66)
    found = explanation_facts(heard)
    assert (found["excerpt"], found["explanation"], found["label"]) == facts
    assert found["area kept"] == "18.8 %"
    assert found["decision threshold"] == "p > 0.66"
