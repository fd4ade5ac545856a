"""The page in a real browser: the slider moves the mask as the arrays say, sounds play, nothing leaves the page."""

import base64
import re
import shutil
from contextlib import contextmanager
from itertools import pairwise

import numpy as np
import pytest
import soundfile
import torch

from svdx.corpora.track import Segment, Track
from svdx.explanation import Area, FeatureInversion
from svdx.explanation.audio_explainer import AudioExplainer
from svdx.explanation.methods.inversion import GatedInversion
from svdx.models import UpConv
from svdx.report.facts import facts_of, percent
from svdx.report.page import explanation_page
from svdx.report.page_data import colours, shades
from tests.support.documents import document_excerpt, document_track
from tests.support.results import make_result

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOW = "the page's tests need a browser and its driver: apt-get install chromium; pip install playwright"
RATE, CURVE = 22050, [i / 10 for i in range(12)]
AREAS = [Area(area) for area in (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7)]

pytestmark = pytest.mark.skipif(BROWSER is None, reason=HOW)


@pytest.fixture(scope="module")
def browser():
    driver = pytest.importorskip("playwright.sync_api", reason=HOW)
    with driver.sync_playwright() as playwright:
        options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        browser = playwright.chromium.launch(executable_path=BROWSER, args=options)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory, frontend, _classifier):
    """The directory of an explanation of four seconds of tones, by networks of random weights."""
    directory = tmp_path_factory.mktemp("a page & more")
    time = np.arange(4 * RATE) / RATE
    voice = 0.1 * np.random.default_rng(0).standard_normal(len(time)) * (time % 0.5 < 0.25)
    for name, sound in (("song", 0.3 * np.sin(2 * np.pi * 220 * time**1.5) + voice), ("voice", voice)):
        soundfile.write(directory / f"{name}.wav", sound, RATE)
    explainer = AudioExplainer(frontend, FeatureInversion(_classifier, UpConv(8).eval(), threshold=0.35))
    document_excerpt(explainer, song(directory), 1.0, CURVE, directory)
    return directory


def song(directory):
    return Track("song", directory / "song.wav", (Segment(1, 3, True), Segment(5, 6, True)), directory / "voice.wav")


@pytest.fixture(scope="module")
def arrays(written):
    with np.load(written / "explanation.npz") as file:
        return dict(file)


@contextmanager
def opened(browser, directory):
    """The open page; at the end it has reported no error and asked for nothing but itself."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    errors, asked = [], []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    address = (directory / "report.html").as_uri()
    page.goto(address)
    yield page
    page.close()
    assert errors == []
    assert {url for url in asked if not url.startswith(("data:", "blob:"))} == {address}


@pytest.fixture
def page(browser, written):
    with opened(browser, written) as page:
        yield page


def drawn(page):
    """Pixels of the canvas, [frames, bands, 3], the lowest band first as in the arrays."""
    code = """() => {
        const canvas = document.getElementById("picture"), { width, height } = canvas;
        const bytes = canvas.getContext("2d").getImageData(0, 0, width, height).data;
        let text = "";
        for (const byte of bytes) text += String.fromCharCode(byte);
        return [width, height, btoa(text)];
    }"""
    width, height, text = page.evaluate(code)
    pixels = np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)
    assert (pixels[..., 3] == 255).all()
    return pixels[::-1, :, :3].transpose(1, 0, 2)


def is_grey(pixels):
    return (pixels == pixels[..., :1]).all(-1)


def set_slider(page, threshold):
    """Move the slider as a person's hand does, by its position."""
    steps = page.evaluate("data.steps")
    page.locator("#threshold").fill(str(steps.index(threshold)))


def seen(page, name):
    return page.locator(f"#{name}").inner_text()


@pytest.mark.parametrize("threshold", [*CURVE, 0.35, 0.47])
def test_the_mask_and_the_area_follow_the_slider_as_the_arrays_say(page, arrays, threshold):
    set_slider(page, threshold)
    mask = arrays["salience"][0] >= np.float32(threshold)
    assert np.array_equal(is_grey(drawn(page)), ~mask)
    assert seen(page, "area") == percent(mask.sum(), mask.size)
    assert seen(page, "threshold-value") == f"{threshold:g}"


def test_it_opens_at_the_explainers_threshold(page, arrays):
    assert seen(page, "threshold-value") == "0.35"
    assert np.array_equal(~is_grey(drawn(page)), arrays["mask"][0])


def test_the_colours_are_those_of_the_bins(page, arrays, classifier):
    logmel = arrays["excerpts"][0] * classifier.std.numpy() + classifier.mean.numpy()
    shade = shades(logmel)
    set_slider(page, 0.0)
    np.testing.assert_allclose(drawn(page), colours()[shade], atol=6)  # a shade more or less: standardised and back
    set_slider(page, 1.1)
    np.testing.assert_allclose(drawn(page)[..., 0], 80 + 0.4 * shade, atol=1)


def test_the_row_of_the_nearest_threshold_is_marked_and_its_label_shown(page):
    for threshold, nearest in ((0.74, "0.7"), (0.76, "0.8"), (1.1, "1.1"), (0.36, "0.35")):
        set_slider(page, threshold)
        (row,) = page.locator("#curve tr[aria-current=true]").all()
        cells = row.locator("th, td").all_inner_texts()
        assert cells[0] == nearest
        assert seen(page, "status") == f"At {nearest} the label is {cells[2]}; as sound: {cells[3]}."
        assert f"threshold {nearest}" in seen(page, "sound-note")


def test_each_row_shows_the_area_that_the_slider_shows(page):
    for row in page.locator("#curve tbody tr").all():
        row.locator("button").click()
        assert seen(page, "area") == row.locator("td").first.inner_text()
        assert row.get_attribute("aria-current") == "true"


def test_keys_move_the_slider(page):
    page.locator("#threshold").focus()
    page.keyboard.press("ArrowRight")
    assert seen(page, "threshold-value") == "0.36"
    assert page.locator("#threshold").get_attribute("aria-valuetext") == f"0.36, area kept: {seen(page, 'area')}"


@pytest.fixture(scope="module", params=["salient", "complement"])
def of_areas(request, tmp_path_factory, written, frontend, _classifier):
    """The directory of the same excerpt's page by an explainer that is cut at an area, and `keep`."""
    keep, directory = request.param, tmp_path_factory.mktemp("areas")
    explainer = AudioExplainer(frontend, GatedInversion(_classifier, UpConv(8).eval(), keep=keep))
    document_excerpt(explainer, song(written), 1.0, AREAS, directory)
    return directory, keep


@pytest.fixture
def over_areas(browser, of_areas):
    directory, keep = of_areas
    with np.load(directory / "explanation.npz") as file, opened(browser, directory) as page:
        page.keep, page.arrays = keep, dict(file)
        yield page


def kept_at(page, area):
    """The bins that a page's explanation keeps at an area."""
    salient = Area(area)(None, None, torch.tensor(page.arrays["salience"])).salient[0].numpy()
    return salient if page.keep == "salient" else ~salient


def test_the_mask_follows_a_slider_over_areas(over_areas):
    for percentage in (0, 0.1, 3.4, 10, 11, 15, 50, 99, 100):
        set_slider(over_areas, percentage)
        mask = kept_at(over_areas, percentage / 100)
        assert np.array_equal(is_grey(drawn(over_areas)), ~mask)
        assert seen(over_areas, "area") == percent(mask.sum(), mask.size)
        assert seen(over_areas, "threshold-value") == f"{percentage:g} %"


def test_it_opens_at_the_best_tenth_and_shows_the_area(over_areas):
    assert seen(over_areas, "threshold-value") == "10 %"
    assert np.array_equal(~is_grey(drawn(over_areas)), over_areas.arrays["mask"][0])
    assert np.array_equal(over_areas.arrays["mask"][0], kept_at(over_areas, 0.1))
    ours = "Area" if over_areas.keep == "salient" else "Area removed"
    assert over_areas.locator("label[for=threshold]").inner_text() == f"{ours} 10 %"
    assert seen(over_areas, "sound-note") == "Kept and removed: at 10 % of the area."


def test_the_row_of_the_nearest_area_is_marked_and_its_label_and_sound_are_taken(over_areas):
    for percentage, nearest in ((0, "1 %"), (3.4, "2 %"), (3.6, "5 %"), (18, "20 %"), (100, "70 %")):
        set_slider(over_areas, percentage)
        (row,) = over_areas.locator("#curve tr[aria-current=true]").all()
        cells = row.locator("th, td").all_inner_texts()
        assert cells[0] == nearest
        assert seen(over_areas, "status") == f"At {nearest} the label is {cells[2]}; as sound: {cells[3]}."
        assert seen(over_areas, "sound-note") == f"Kept and removed: at {nearest} of the area."


def test_keys_move_a_slider_over_areas_finely_where_they_are_small(over_areas):
    slider = over_areas.locator("#threshold")
    slider.focus()
    for key, text in (("ArrowRight", "11 %"), ("ArrowLeft", "10 %"), ("ArrowLeft", "9.9 %")):
        over_areas.keyboard.press(key)
        assert seen(over_areas, "threshold-value") == text
        assert slider.get_attribute("aria-valuetext") == f"{text}, area kept: {seen(over_areas, 'area')}"
    over_areas.locator("#curve button", has_text="30 %").click()
    assert seen(over_areas, "threshold-value") == "30 %"


@pytest.mark.parametrize("width", [320, 390])
def test_a_page_over_areas_fits_a_phone(over_areas, width):
    over_areas.set_viewport_size({"width": width, "height": 844})
    assert over_areas.evaluate("document.documentElement.scrollWidth") == width


def test_a_whole_tracks_slider_goes_over_areas_of_the_track(browser, written, frontend, _classifier, tmp_path):
    explainer = AudioExplainer(frontend, GatedInversion(_classifier, UpConv(8).eval()))
    document_track(explainer, song(written), 0.5, AREAS, tmp_path)
    mask = np.load(tmp_path / "explanation.npz")["mask"]
    assert mask.sum() == round(0.1 * mask.size)
    with opened(browser, tmp_path) as page:
        assert np.array_equal(~is_grey(drawn(page)), mask) and seen(page, "threshold-value") == "10 %"
        set_slider(page, 2.5)
        assert round((~is_grey(drawn(page))).mean(), 3) == 0.025
        assert seen(page, "sound-note").endswith("at 10 % of the area.")


def time_of(page, player):
    return page.evaluate("id => document.getElementById(id).currentTime", player)


def is_playing(page, player):
    return not page.evaluate("id => document.getElementById(id).paused", player)


@pytest.mark.parametrize("player", ["whole", "kept", "removed"])
def test_a_player_plays_and_its_head_moves(page, player):
    page.evaluate("id => document.getElementById(id).play()", player)
    page.wait_for_function("id => document.getElementById(id).currentTime > 0.2", arg=player)
    left = page.evaluate("document.querySelector('#stage .head').style.left")
    assert 0 < float(left.rstrip("%")) <= 100
    page.wait_for_function("left => document.querySelector('#stage .head').style.left !== left", arg=left)


def test_one_player_at_a_time(page):
    page.evaluate("document.getElementById('whole').play()")
    page.wait_for_function("document.getElementById('whole').currentTime > 0")
    page.evaluate("document.getElementById('kept').play()")
    page.wait_for_function("document.getElementById('whole').paused")
    assert is_playing(page, "kept")


def test_a_click_on_the_picture_plays_from_there(page):
    box = page.locator("#stage").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    page.wait_for_function("document.getElementById('whole').currentTime > 0.83")
    assert is_playing(page, "whole") and time_of(page, "whole") < 1.65


def test_the_picture_is_played_from_the_keyboard(page):
    page.locator("#position").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.getElementById('whole').currentTime > 0.03")
    assert re.fullmatch(r"0\.0\d s", page.locator("#position").get_attribute("aria-valuetext"))
    page.keyboard.press("Enter")
    page.wait_for_function("document.getElementById('whole').currentTime > 0.3")
    page.keyboard.press(" ")
    assert not is_playing(page, "whole")
    page.keyboard.press("Home")
    page.wait_for_function("document.getElementById('whole').currentTime === 0")


def test_another_threshold_brings_its_sound_and_goes_on_from_where_it_was(page):
    before = page.locator("#kept").get_attribute("src")
    page.evaluate("document.getElementById('kept').currentTime = 1")
    set_slider(page, 0.6)
    after = page.locator("#kept").get_attribute("src")
    expected = page.evaluate("data.sounds.find((sound) => data.steps[sound.step] === 0.6).kept")
    assert before != after == expected
    page.wait_for_function("document.getElementById('kept').currentTime === 1")


def test_the_slider_moved_while_a_part_plays_breaks_nothing_and_it_plays_on(page):
    page.evaluate("document.getElementById('kept').play()")
    page.wait_for_function("document.getElementById('kept').currentTime > 0.1")
    page.evaluate("for (const step of [2, 5, 6, 3, 7]) choose(data.sounds[step].step)")  # before any of them is there
    page.wait_for_function("!document.getElementById('kept').paused")


def test_the_slider_moved_while_the_whole_plays_leaves_the_play_head_with_it(page):
    page.evaluate("document.getElementById('removed').currentTime = 1")
    page.evaluate("document.getElementById('whole').play()")
    set_slider(page, 0.6)
    page.wait_for_function("document.getElementById('removed').currentTime === 1")
    page.wait_for_function("document.getElementById('whole').currentTime > 0.5")
    assert page.evaluate("player.id") == "whole"
    assert float(page.evaluate("document.querySelector('#stage .head').style.left").rstrip("%")) < 60


def voice_of(page):
    """The bins that the page's data call voice, [frames, bands]."""
    frames, bands, text = page.evaluate("[data.frames, data.bands, data.voice]")
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8))
    return bits[: frames * bands].reshape(frames, bands).astype(bool)


def outlined(page):
    """Lines of the outline: {(frame, row from the top, "H" or "V"): length}."""
    path = page.locator("#voice path").last.get_attribute("d")
    lines = re.findall(r"M(\d+) (\d+)([HV])(\d+)", path)
    assert "".join(f"M{x} {y}{way}{end}" for x, y, way, end in lines) == path
    return {(int(x), int(y), way): int(end) - int(x if way == "H" else y) for x, y, way, end in lines}


@pytest.mark.parametrize("name", ["page", "timeline"])
def test_the_outline_of_the_voice_is_the_border_of_its_bins(request, name):
    page = request.getfixturevalue(name)
    voice = np.pad(voice_of(page).T[::-1], 1).astype(int)  # rows from the top
    lines = outlined(page)
    for way, axis in (("H", 0), ("V", 1)):
        assert sum(n for (_, _, each), n in lines.items() if each == way) == np.abs(np.diff(voice, axis=axis)).sum() > 0
    assert all(voice[row, frame + 1] != voice[row + 1, frame + 1] for frame, row, way in lines if way == "H")
    assert all(voice[row + 1, frame] != voice[row + 1, frame + 1] for frame, row, way in lines if way == "V")


def test_the_outline_can_be_left_out(page):
    assert page.locator("#voice").is_visible()
    page.locator("#outlined").focus()
    page.keyboard.press(" ")
    assert not page.locator("#voice").is_visible()
    page.locator("#outlined").check()
    assert page.locator("#voice").is_visible()


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_a_desk_in_light_and_dark(browser, written, width, scheme):
    page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page.goto((written / "report.html").as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") == width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    brightness = sum(map(int, re.findall(r"\d+", paper)[:3])) / 3
    assert (brightness > 128) == (scheme == "light")
    page.close()


@pytest.fixture
def timeline(browser, written, frontend, _classifier, tmp_path):
    """The open page of the whole song."""
    explainer = AudioExplainer(frontend, FeatureInversion(_classifier, UpConv(8).eval(), threshold=0.35))
    document_track(explainer, song(written), 0.5, CURVE, tmp_path)
    with opened(browser, tmp_path) as page:
        yield page


def test_a_whole_track_shows_its_mask_and_plays_from_a_click_on_the_timeline(timeline):
    frames = timeline.evaluate("data.frames")
    assert drawn(timeline).shape == (frames, 80, 3)
    assert seen(timeline, "area") == f"{round(100 * (~is_grey(drawn(timeline))).mean(), 1)} %"
    box = timeline.locator(".stage.strip").bounding_box()
    timeline.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    timeline.wait_for_function("document.getElementById('whole').currentTime > data.seconds / 2")
    assert len(timeline.locator(".stage .head:visible").all()) == 2
    set_slider(timeline, 0.6)
    assert seen(timeline, "sound-note").endswith("at threshold 0.35.")


def test_a_zoomed_picture_follows_the_sound(timeline):
    timeline.locator("#zoom").fill("8")
    width, shown, place = timeline.evaluate(
        "[scroll.scrollWidth, scroll.clientWidth, scroll.scrollLeft]".replace("scroll.", "byId('scroll').")
    )
    assert width == pytest.approx(8 * shown, abs=8)
    assert place == pytest.approx((width - shown) / 2, abs=shown / 8)
    timeline.evaluate("document.getElementById('whole').currentTime = 0.1")
    timeline.wait_for_function("byId('scroll').scrollLeft < byId('scroll').clientWidth")
    assert timeline.evaluate("document.documentElement.scrollWidth") == 1280
    timeline.evaluate("document.getElementById('whole').play()")
    timeline.wait_for_function("document.getElementById('whole').currentTime > 1.2")  # a view is half a second wide
    assert timeline.evaluate("byId('scroll').scrollLeft > byId('scroll').clientWidth")


def test_scrolling_away_while_it_plays_is_not_undone(timeline):
    timeline.locator("#zoom").fill("8")
    timeline.evaluate("document.getElementById('whole').play()")
    timeline.wait_for_function("document.getElementById('whole').currentTime > 0.1")
    timeline.evaluate("byId('scroll').scrollLeft = 1e6")
    timeline.wait_for_function("document.getElementById('whole').currentTime > 0.8")
    place, last = timeline.evaluate(
        "[byId('scroll').scrollLeft, byId('scroll').scrollWidth - byId('scroll').clientWidth]"
    )
    assert place == pytest.approx(last, abs=1)


@pytest.fixture(scope="module")
def minute(tmp_path_factory, frontend):
    """The directory of a page of 62 seconds of nothing much."""
    random, frames, sound = np.random.default_rng(0), round(62 * frontend.frame_rate), np.zeros(RATE, np.float32)
    logmel, timeline = random.random((frames, 80)), (np.arange(62.0), random.random(62))
    result = make_result(frontend, logmel, random.random((frames, 80)), sound, {0.6: sound}, timeline=timeline)
    directory = tmp_path_factory.mktemp("minute")
    (directory / "report.html").write_text(explanation_page(result, facts_of(result)))
    return directory


@pytest.mark.parametrize("width", [320, 390, 1280])
@pytest.mark.parametrize("zoom", ["1", "4", "16"])
def test_marks_at_the_end_of_the_axis_and_the_head_there_widen_nothing(browser, minute, width, zoom):
    with opened(browser, minute) as page:
        page.set_viewport_size({"width": width, "height": 844})
        page.locator("#zoom").fill(zoom)
        page.evaluate("document.getElementById('whole').currentTime = shown = data.seconds = 1")  # where the sound ends
        page.wait_for_function("document.querySelector('.head').style.left === '100%'")
        scrolled, wide = page.evaluate("[byId('scroll').scrollWidth, document.querySelector('.wide').clientWidth]")
        assert scrolled == wide
        marks = page.locator(".seconds:visible span:visible")
        assert "1:00" in marks.all_inner_texts()
        boxes = [(box["x"], box["x"] + box["width"]) for box in (mark.bounding_box() for mark in marks.all())]
        assert all(end < start for (_, end), (start, _) in pairwise(boxes))


def test_the_voice_in_a_whole_track_is_outlined_coarsely_from_afar_and_where_it_is_seen(timeline):
    timeline.set_viewport_size({"width": 390, "height": 900})
    timeline.wait_for_function("byId('scroll').clientWidth < 390")
    timeline.evaluate("outline()")
    width, frames = timeline.evaluate("[byId('scroll').scrollWidth, data.frames]")
    stride = round(4 * frames / width)
    assert stride > 1
    assert all(frame % stride == 0 or frame == frames for frame, _, _ in outlined(timeline))
    coarse = len(outlined(timeline))
    timeline.locator("#zoom").fill("3")
    timeline.evaluate("outline()")
    middle = [frame / frames for frame, _, _ in outlined(timeline)]
    assert 1 / 3 - 0.02 < min(middle) < 0.4 and 0.6 < max(middle) < 2 / 3 + 0.02
    assert any(frame % stride for frame, _, _ in outlined(timeline)) and len(outlined(timeline)) > coarse / 3
