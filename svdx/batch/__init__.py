"""Engines: run a job over many tracks, in this process, in several, or on a cluster.

`conf/engine/` selects one. The files that a job writes do not depend on the engine.
"""
