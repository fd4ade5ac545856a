"""Results as files: figures, HTML pages, sounds and arrays."""
