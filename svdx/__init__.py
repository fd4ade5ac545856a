"""svdx: what did a singing-voice detector listen to? Explanations by feature inversion (EUSIPCO 2018)."""

__version__ = "0.1.0"
