"""The one family of errors that a user's input can cause.

Everything that svdx refuses ends in a `SvdxError` whose message is one line and names the file or the key at
fault and what to do about it. Any other exception is a defect of svdx.
"""


class SvdxError(Exception):
    """Input that svdx cannot work with; `str(error)` is the line to show the user."""


class AudioError(SvdxError):
    """An audio file that is missing, empty, damaged, silent, not finite, or shorter than what was asked of it."""


class CorpusError(SvdxError):
    """A corpus whose root, lists, labels or splits are missing or contradict each other."""


class WeightsError(SvdxError):
    """A weight file that is missing, unsafe, of another network, or that does not fit its partner."""


class ConfigError(SvdxError):
    """A setting outside its range, or two settings that exclude each other."""
