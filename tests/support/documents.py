"""An excerpt or a track explained and written in one call."""

from svdx.explanation.recording import read_recording
from svdx.report.files import write_result


def document_excerpt(explainer, track, start, points, directory, sounds=True):
    return write_result(explainer.explain_excerpt(read_recording(track), start, points), directory, sounds)


def document_track(explainer, track, hop, points, directory, sounds=True):
    return write_result(explainer.explain_track(read_recording(track), hop, points), directory, sounds)
