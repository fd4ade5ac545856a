"""Explanations: which bins of an excerpt a classifier listened to."""

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
