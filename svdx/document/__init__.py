"""The files that an explanation leaves: pictures, arrays, sounds, and the page that shows and plays them."""

from svdx.document.collection import document_collection
from svdx.document.excerpt import document_excerpt
from svdx.document.track import document_track

__all__ = ["document_collection", "document_excerpt", "document_track"]
