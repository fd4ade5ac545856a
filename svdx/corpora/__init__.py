"""Corpora: music on disk as `Track`s in the splits train, valid and test."""

from svdx.corpora.corpus import Corpus
from svdx.corpora.folder import Folder
from svdx.corpora.jamendo import Jamendo
from svdx.corpora.rwc import Rwc
from svdx.corpora.stems import Stems
from svdx.corpora.track import Segment, Track

__all__ = ["Corpus", "Folder", "Jamendo", "Rwc", "Segment", "Stems", "Track"]
