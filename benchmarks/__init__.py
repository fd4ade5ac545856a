"""Benchmarks of svdx against straightforward implementations of the same, timed in one run: `make bench`."""
