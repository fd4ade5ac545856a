"""How fast svdx is, against the plain way of doing the same, both timed in one run: `make bench`."""
