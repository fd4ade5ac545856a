"""The files that an explanation leaves: pictures, arrays, sounds, and the page that shows and plays them."""

from svdx.document.collection import Each, document_collection
from svdx.document.excerpt import document_excerpt
from svdx.document.request import Request
from svdx.document.track import document_track

__all__ = ["Each", "Request", "document_collection", "document_excerpt", "document_track"]
