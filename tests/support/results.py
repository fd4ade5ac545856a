"""Results made by hand, for tests of what is rendered from them."""

from pathlib import Path

import numpy as np
import torch

from svdx.audio.reading import Sound
from svdx.corpora.track import Track
from svdx.explanation.explainer import Explanation
from svdx.explanation.region import Voice
from svdx.explanation.results import AsSound, Curve, ExcerptResult, Method, Point, Timeline, TrackResult
from svdx.explanation.thresholds import Fixed
from svdx.explanation.tracks import TrackExplanation

DECISION = 0.66


def make_result(
    frontend,
    logmel,
    salience,
    samples,
    kept,
    before=0.9,
    after=0.9,
    as_sound=0.9,
    threshold=0.6,
    keep="salient",
    track=None,
    voice=None,
    timeline=None,
):
    """The result of an excerpt, or with a timeline (times, probability) of a track.

    logmel, salience: [frames, bands]; samples: [n]; kept: position → samples of the kept part there, None for no sound
    before, after, as_sound: probability of singing, of the input, of the explanation and of its sound
    """
    salience, standardised = torch.tensor(salience, dtype=torch.float32), torch.tensor(logmel, dtype=torch.float32)
    mask = (salience >= threshold) == (keep == "salient")
    probabilities = torch.tensor([before]), torch.tensor([after])
    flipped = np.array([(before > DECISION) != (after > DECISION)])
    points = []
    for position, sound in sorted(kept.items()):
        changed = np.array([(before > DECISION) != (as_sound > DECISION)])
        heard = None if sound is None else AsSound(sound, np.array([as_sound]), changed)
        n_kept = int(((salience >= position) == (keep == "salient")).sum())
        points.append(Point(position, position, n_kept, np.array([after]), flipped, heard))
    shared = dict(
        track=track or Track("a song", Path("a song.wav"), ()),
        frontend=frontend,
        method=Method("inversion", "inverted features", Fixed(threshold), keep, "mean"),
        logmel=logmel,
        sound=Sound(torch.tensor(samples)[None], frontend.sample_rate),
        kept=Sound(torch.tensor(kept[threshold])[None], frontend.sample_rate),
        samples=samples,
        curve=Curve(tuple(points), False, threshold),
        voice=None if voice is None else Voice(voice, 0.5, 0.5),
    )
    if timeline is not None:
        starts, cut = torch.tensor([0]), (mask, standardised * mask)
        explanation = TrackExplanation(standardised, starts, salience, *cut, *probabilities, DECISION, threshold)
        return TrackResult(explanation=explanation, timeline=Timeline(*timeline), **shared)
    batch = [part[None] for part in (standardised, standardised, salience, mask, standardised * mask)]
    explanation = Explanation(*batch, *probabilities, DECISION, torch.tensor([threshold]))
    return ExcerptResult(explanation=explanation, start=1.5, **shared)
