"""Atomic writes, inter-process locks, checksums and safe archives."""
