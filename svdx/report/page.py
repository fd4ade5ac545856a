"""An explanation as a self-contained HTML page, and as HTML for a notebook."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import quote

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape

from svdx.errors import printable
from svdx.report.facts import after_masking, area_kept, title_of, verdict
from svdx.report.page_data import colours, faded, frequency_marks, packed, second_marks, shades, sound_uri
from svdx.report.slider import AREAS, THRESHOLDS, Scale

if TYPE_CHECKING:  # these import torch, which a page does without
    from matplotlib.figure import Figure

    from svdx.explanation.results import ExcerptResult, Point, Result, TrackResult

COLUMNS = 4000  # of the canvas at most; a column is the mean of its frames
FADE = 0.005  # seconds at both ends of a played sound, against clicks
SOUND = "turned into sound (before the page's compression). There the rest is silent, not filled: labels can differ."
NOTE = (
    "Label: the detector's label when the rest is filled in. As sound: its label for the kept part "
    f"{SOUND} Choose {{}} {{}} to see and hear it."
)
TRACK_NOTE = (
    "Label: number of excerpts whose label stays the same when the rest is filled in. As sound: the same for the kept "
    f"part {SOUND}"
)
MERGED = (
    "Line: probability of singing in the excerpt around each moment; above the dashed line the label is singing. "
    "The picture merges the explanations of all excerpts: the salience of a bin is its mean over the excerpts that "
    "contain it, weighted by sin² so that an excerpt's centre counts most. Scores that depend on a class are for the "
    "class of each excerpt."
)


def explanation_page(result: ExcerptResult | TrackResult, facts: dict[str, str]) -> str:
    """The page: log-mel with slider and players, the facts in words, and a row for each point of the curve.

    facts: `svdx.report.facts.facts_of(result)`. Raises: ConfigError if the slider takes fewer points.
    """
    scale, frontend = AREAS if result.curve.has_areas else THRESHOLDS, result.frontend
    steps = scale.steps([point.position for point in result.curve.points])
    opening = _step(steps, result.curve.opening)
    uri, sounds = _sounds(result, steps)
    own = next(sound for sound in sounds if sound["step"] == opening)
    data = {
        **_canvas(result, scale, steps, opening),
        "curve": [_row(result, point, scale, steps) for point in result.curve.points],
        "sounds": [sound for sound in sounds if sound is not own],
    }
    timeline = None if result.timeline is None else _timeline(result)
    return render(
        "explanation.html",
        title=title_of(result),
        verdict=_unbroken(verdict(result, facts)),
        facts=facts,
        data=data,
        columns=min(len(result.logmel), COLUMNS),
        rate=frontend.sample_rate,
        frequency_marks=frequency_marks(frontend),
        second_marks=second_marks(result.seconds),
        fine_marks=second_marks(result.seconds, 80) if timeline else [],
        timeline=timeline,
        players=(("whole", "Whole", uri), ("kept", "Kept", own["kept"]), ("removed", "Removed", own["removed"])),
        scale=scale.name,
        curve_columns=scale.heads(result.method.keep),
        curve_note=f"{TRACK_NOTE if timeline else NOTE.format(scale.article, scale.name)}{scale.note}",
    )


def notebook_html(result: ExcerptResult | TrackResult, facts: dict[str, str], figure: Figure) -> str:
    """Figure, players and facts as HTML for a notebook's cell; nothing is loaded from elsewhere."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    steps = np.array([result.curve.opening])
    whole, (own,) = _sounds(replace(result, curve=replace(result.curve, points=(result.curve.opening_point,))), steps)
    return render(
        "notebook.html",
        picture=f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}",
        title=title_of(result),
        verdict=_unbroken(verdict(result, facts)),
        facts=facts,
        players={"Whole": whole, "Kept": own["kept"], "Removed": own["removed"]},
    )


def index_page(title: str, done: dict[str, dict[str, str]], failed: dict[str, str]) -> str:
    """A page that links to `NAME/report.html` of several tracks.

    done: name → facts; failed: file → reason
    """
    columns = list(dict.fromkeys(chain.from_iterable(done.values())))
    links = {name: f"{quote(os.fsencode(name))}/report.html" for name in done}
    return render("index.html", title=title, columns=columns, links=links, done=done, failed=failed)


def _canvas(result: ExcerptResult | TrackResult, scale: Scale, steps: np.ndarray, opening: int) -> dict:
    """What the script draws from."""
    frames, bands = result.logmel.shape
    salient = result.mask if result.method.keep == "salient" else ~result.mask
    return {
        "frames": frames,
        "bands": bands,
        "seconds": result.seconds,
        "complement": result.method.keep == "complement",
        "steps": [scale.number(step) for step in steps],
        **{name: getattr(scale, name) for name in ("unit", "place", "grows")},
        "start": opening,
        "shades": packed(shades(result.logmel)),
        "levels": packed(scale.opened(scale.levels(result.salience, steps), salient, opening)),
        "voice": None if result.voice is None else packed(np.packbits(result.voice.bins)),
        "colours": packed(colours()),
    }


def _timeline(result: TrackResult) -> dict:
    """Drawn in 1000 units of time and 100 of probability, downwards."""
    seconds, decision, probability = result.seconds, result.explanation.decision, result.timeline.probability
    points = zip(1000 * result.timeline.times / seconds, 100 * (1 - probability), strict=True)
    segments = [(s.start, min(s.end, seconds)) for s in result.track.segments if s.vocal and s.start < seconds]
    labels = [(1000 * start / seconds, 1000 * (end - start) / seconds) for start, end in segments]
    share = 100 * float((probability > decision).mean())
    return {
        "path": "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points),
        "decision": f"{decision:.2f}",
        "decision_top": round(100 * (1 - decision), 2),
        "labels": [(round(x, 2), round(width, 2)) for x, width in labels],
        "words": f"Probability of singing over time; above the decision threshold in {share:.0f} % of it",
        "note": f"Shaded: labelled as singing. {MERGED}" if result.track.segments else MERGED,
    }


def _row(result: ExcerptResult | TrackResult, point: Point, scale: Scale, steps: np.ndarray) -> dict:
    """A point as a row of the table, and for the sentence below the slider."""
    threshold = "—" if point.threshold > 1 else f"{point.threshold:.4g}"
    sound = point.as_sound
    return {
        "step": _step(steps, point.position),
        "position": scale.text(point.position),
        "beside": threshold if result.curve.has_areas else area_kept(result, point.n_kept),
        "label": _label(result, point.flipped, point.probability),
        "as_sound": None if sound is None else _label(result, sound.flipped, sound.probability),
    }


def _label(result: ExcerptResult | TrackResult, flipped: np.ndarray, probability: np.ndarray) -> dict:
    """A label after masking, and its class in the page's style; labels of a whole track have none."""
    kind = "" if result.timeline is not None else "flipped" if flipped[0] else "kept"
    return {"text": _unbroken(after_masking(result, flipped, probability)), "kind": kind}


def _unbroken(text: str) -> str:
    """A probability is not broken over two lines."""
    return text.replace(" = ", "\u00a0=\u00a0")


def _step(steps: np.ndarray, position: float) -> int:
    return int(np.abs(steps - steps.dtype.type(position)).argmin())


def _sounds(result: Result, steps: np.ndarray) -> tuple[str, list[dict]]:
    """The whole sound, and the kept and removed part at each point that has a sound. All are faded alike, and scaled by
    one factor if one would clip."""
    whole, rate = result.samples, result.frontend.sample_rate
    kept = {point.position: point.as_sound.samples for point in result.curve.points if point.as_sound is not None}
    parts = {position: (samples, whole - samples) for position, samples in kept.items()}
    loudest = max(1.0, *(float(np.abs(sound).max()) for sound in (whole, *chain(*parts.values()))))
    gain = faded(len(whole), round(FADE * rate)) / loudest
    return sound_uri(gain * whole, rate), [
        {"step": _step(steps, position), "kept": sound_uri(gain * kept, rate), "removed": sound_uri(gain * rest, rate)}
        for position, (kept, rest) in parts.items()
    ]


def render(template: str, **values: object) -> str:
    """Render a template of svdx/report/templates. Values are escaped, and so are characters that cannot be printed."""
    environment = Environment(
        loader=PackageLoader("svdx.report"),
        autoescape=select_autoescape(),
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
    return environment.get_template(template).render(**values)
