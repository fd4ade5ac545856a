"""An explanation as one HTML page that needs nothing beside itself."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape

from svdx.errors import printable
from svdx.report.page_data import colours, faded, frequency_marks, packed, second_marks, shades, sound_uri
from svdx.report.slider import THRESHOLDS, Scale

if TYPE_CHECKING:  # a front end brings torch along, which a page does without
    from svdx.audio.logmel import FrontEnd

COLUMNS = 4000  # of the canvas at most; one is the mean of its frames
FADE = 0.005  # seconds at either end of a played sound: what is cut out of a track would click
SOUND = "turned into sound (before this page packs it); there the rest is silent, not filled, so that they can differ."
NOTE = (
    "Label: what the detector says when the rest is filled in. As sound: what it says when it hears the kept part, "
    f"{SOUND} Choose {{}} {{}} to see and hear it."
)
TRACK_NOTE = (
    "Label: in how many excerpts the detector says the same when the rest is filled in. As sound: in how many it says "
    f"the same when it hears the kept part, {SOUND}"
)
MERGED = (
    "Line: probability of singing in the excerpt around each moment; above the dashed line the detector says singing. "
    "The picture merges the explanations of all excerpts: of each bin, the mean of its saliences in the excerpts that "
    "hold it, weighted by sin² over the excerpt, most at its centre. Scores for a class are for that of each excerpt."
)


@dataclass(frozen=True)
class Picture:
    """What the canvas shows.

    logmel: [frames, bands], natural logarithm; salience: [frames, bands] in [0, 1]
    start: position of the slider at which the page opens; keep: the explainer's; frontend: for the axes
    voice: bins of the true voice, bool, where it is known; scale: what the slider goes over
    """

    logmel: np.ndarray
    salience: np.ndarray
    start: float
    keep: str
    frontend: FrontEnd
    voice: np.ndarray | None = None
    scale: Scale = THRESHOLDS

    @property
    def seconds(self) -> float:
        return len(self.logmel) / self.frontend.frame_rate


@dataclass(frozen=True)
class Label:
    """What became of a label, or of many. text: in words; flipped: None of many"""

    text: str
    flipped: bool | None = None

    @property
    def kind(self) -> str:
        """As the page's style knows it."""
        return {None: "", True: "flipped", False: "kept"}[self.flipped]


@dataclass(frozen=True)
class Point:
    """One position of the slider.

    beside: what stands next to it, as text: at a threshold the area that is kept, at an area the threshold
    label: what became of it when the rest is filled in; as_sound: and when the kept part is heard as sound, if it is
    sound: the kept part, mono [n], if it is played
    """

    position: float
    beside: str
    label: Label
    as_sound: Label | None = None
    sound: np.ndarray | None = None


@dataclass(frozen=True)
class Timeline:
    """Probability of singing over a track.

    times: seconds, [N]; probability: [N]; decision: singing is above it
    sung: (start, end) in seconds of what the labels call singing; labelled: are there labels?
    """

    times: np.ndarray
    probability: np.ndarray
    decision: float
    sung: Sequence[tuple[float, float]]
    labelled: bool


def percent(mask: np.ndarray) -> str:
    """Share of kept bins as text; a half goes up, as in the page's own script.

    >>> percent(np.array([True] * 1 + [False] * 399))
    '0.3 %'
    """
    mask = np.asarray(mask)
    return f"{math.floor(1000 * int(mask.sum()) / mask.size + 0.5) / 10:.1f} %"


def heard(vocal: bool, probability: float) -> str:
    """A label and its probability in words.

    >>> heard(False, 0.66)
    'no singing (p = 0.660)'
    """
    return f"{'singing' if vocal else 'no singing'} (p = {probability:.3f})"


def kept_or_flipped(flipped: bool, probability: float) -> Label:
    """What became of a label, and the probability now.

    >>> kept_or_flipped(False, 0.9).text
    'kept (p = 0.900)'
    """
    return Label(f"{'flipped' if flipped else 'kept'} (p = {probability:.3f})", flipped)


def explanation_page(
    title: str,
    verdict: str,
    facts: dict[str, str],
    picture: Picture,
    curve: Sequence[Point],
    whole: np.ndarray,
    timeline: Timeline | None = None,
) -> str:
    """The page: picture with slider and players, what is to be said, and a row for each point of the curve.

    facts: what to say → its value, as text; curve: by ascending position, the picture's own among them and with a
    sound; whole: mono at the front end's rate, [n], full scale = 1; timeline: of a whole track
    """
    scale = picture.scale
    steps = scale.steps([point.position for point in curve])
    data = {**_canvas(picture, steps), "curve": [_row(point, scale, steps) for point in curve]}
    uri, sounds = _sounds(whole, curve, steps, picture.frontend.sample_rate)
    own = next(sound for sound in sounds if sound["step"] == data["start"])
    return render(
        "explanation.html",
        title=title,
        verdict=_together(verdict),
        facts=facts,
        data={**data, "sounds": [sound for sound in sounds if sound is not own]},
        columns=min(len(picture.logmel), COLUMNS),
        rate=picture.frontend.sample_rate,
        frequency_marks=frequency_marks(picture.frontend),
        second_marks=second_marks(picture.seconds),
        fine_marks=second_marks(picture.seconds, 80) if timeline else [],
        timeline=None if timeline is None else _timeline(timeline, picture.seconds),
        players=(("whole", "Whole", uri), ("kept", "Kept", own["kept"]), ("removed", "Removed", own["removed"])),
        scale=scale.name,
        curve_columns=scale.heads(picture.keep),
        curve_note=f"{TRACK_NOTE if timeline else NOTE.format(scale.article, scale.name)}{scale.note}",
    )


def index_page(title: str, done: dict[str, dict[str, str]], failed: dict[str, str]) -> str:
    """A page that leads to `NAME/report.html` of several tracks.

    done: name → what is to be said of it; failed: file → why
    """
    columns = list(dict.fromkeys(chain.from_iterable(done.values())))
    links = {name: f"{quote(os.fsencode(name))}/report.html" for name in done}
    return render("index.html", title=title, columns=columns, links=links, done=done, failed=failed)


def _canvas(picture: Picture, steps: np.ndarray) -> dict:
    """What the script draws from."""
    frames, bands = picture.logmel.shape
    return {
        "frames": frames,
        "bands": bands,
        "seconds": picture.seconds,
        "complement": picture.keep == "complement",
        "steps": [picture.scale.number(step) for step in steps],
        **{name: getattr(picture.scale, name) for name in ("unit", "place", "grows")},
        "start": _step(steps, picture.start),
        "shades": packed(shades(picture.logmel)),
        "levels": packed(picture.scale.levels(picture.salience, steps)),
        "voice": None if picture.voice is None else packed(np.packbits(picture.voice)),
        "colours": packed(colours()),
    }


def _timeline(timeline: Timeline, seconds: float) -> dict:
    """Drawn in 1000 units of time and 100 of probability, downwards."""
    points = zip(1000 * timeline.times / seconds, 100 * (1 - timeline.probability), strict=True)
    sung = [(start, min(end, seconds)) for start, end in timeline.sung if start < seconds]
    shown = [(1000 * start / seconds, 1000 * (end - start) / seconds) for start, end in sung]
    note = f"Shaded: labelled as singing. {MERGED}" if timeline.labelled else MERGED
    sings = 100 * float((timeline.probability > timeline.decision).mean())
    return {
        "path": "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points),
        "decision": f"{timeline.decision:.2f}",
        "decision_top": round(100 * (1 - timeline.decision), 2),
        "labels": [(round(x, 2), round(width, 2)) for x, width in shown],
        "words": f"Probability of singing over time; above the decision threshold in {sings:.0f} % of it",
        "note": note,
    }


def _row(point: Point, scale: Scale, steps: np.ndarray) -> dict:
    """A point as a row of the table, and for the sentence below the slider."""
    return {
        "step": _step(steps, point.position),
        "position": scale.text(point.position),
        "beside": point.beside,
        "label": _said(point.label),
        "as_sound": None if point.as_sound is None else _said(point.as_sound),
    }


def _said(label: Label) -> dict:
    return {"text": _together(label.text), "kind": label.kind}


def _together(text: str) -> str:
    """A probability is not broken over two lines."""
    return text.replace(" = ", "\u00a0=\u00a0")


def _step(steps: np.ndarray, position: float) -> int:
    return int(np.abs(steps - steps.dtype.type(position)).argmin())


def _sounds(whole: np.ndarray, curve: Sequence[Point], steps: np.ndarray, rate: int) -> tuple[str, list[dict]]:
    """The whole and, for each point that has a sound, its parts; all faded alike, and softer by one factor if one would
    clip."""
    parts = {point.position: (point.sound, whole - point.sound) for point in curve if point.sound is not None}
    loudest = max(1.0, *(float(np.abs(sound).max()) for sound in (whole, *chain(*parts.values()))))
    gain = faded(len(whole), round(FADE * rate)) / loudest
    return sound_uri(gain * whole, rate), [
        {"step": _step(steps, position), "kept": sound_uri(gain * kept, rate), "removed": sound_uri(gain * rest, rate)}
        for position, (kept, rest) in parts.items()
    ]


def render(template: str, **values: object) -> str:
    """A template of svdx/report/templates with its values; what is not markup, or not printable, is escaped."""
    told = {"finalize": lambda value: printable(value) if type(value) is str else value}
    environment = Environment(loader=PackageLoader("svdx.report"), autoescape=select_autoescape(), **told)
    return environment.get_template(template).render(**values)
