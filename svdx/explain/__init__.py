"""Explanations: which bins of an excerpt a classifier listened to."""

from svdx.explain.explainer import Explainer, Explanation
from svdx.explain.inversion import FeatureInversion
from svdx.explain.tracks import TrackExplanation

__all__ = ["Explainer", "Explanation", "FeatureInversion", "TrackExplanation"]
