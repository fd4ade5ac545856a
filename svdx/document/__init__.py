"""The files that an explanation leaves: pictures, arrays, sounds, and the page that shows and plays them."""

from svdx.document.excerpt import document_excerpt
from svdx.document.track import document_track

__all__ = ["document_excerpt", "document_track"]
