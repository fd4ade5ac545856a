"""Comparison of explainers: all of them explain the same excerpts and are measured alike.

`bench.Bench` makes one pass over the excerpts and writes per-excerpt records (`study.Study`). Everything else is
computed from these by pure functions (`measures`, `statistics`, `results`).
"""
