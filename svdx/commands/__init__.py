"""The commands that the entry points run, one module each."""
