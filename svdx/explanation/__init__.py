"""Explanations: which bins of an excerpt a classifier listened to."""

from svdx.explanation.explainer import Explainer, Explanation
from svdx.explanation.methods.inversion import FeatureInversion
from svdx.explanation.thresholds import Area, Fixed, Otsu, ReconstructionError
from svdx.explanation.tracks import TrackExplanation

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
