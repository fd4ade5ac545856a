"""Explanations: which bins of an excerpt a classifier listened to.

The package is callable, too: `svdx.explain("song.mp3", start=10)`, see `svdx.app.api.explain`.
"""

import sys

from svdx import CallablePackage
from svdx.explain.explainer import Explainer, Explanation
from svdx.explain.methods.inversion import FeatureInversion
from svdx.explain.thresholds import Area, Fixed, Otsu, ReconstructionError
from svdx.explain.tracks import TrackExplanation

__all__ = [
    "Area",
    "Explainer",
    "Explanation",
    "FeatureInversion",
    "Fixed",
    "Otsu",
    "ReconstructionError",
    "TrackExplanation",
]

sys.modules[__name__].__class__ = CallablePackage
