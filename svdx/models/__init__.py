"""The classifier, the inverters and their weight files."""

from svdx.models.svdnet import SVDNet
from svdx.models.upconv import UpConv
from svdx.models.weights import load_classifier, load_inverter

__all__ = ["SVDNet", "UpConv", "load_classifier", "load_inverter"]
