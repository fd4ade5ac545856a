"""Explainers side by side: what each of them says of the same excerpts, measured alike.

One idea: per-excerpt records (`records.Study`), one pass over the excerpts (`bench.compare`), and everything else
computed from the records by pure functions (`measures`, `statistics`, `table`).
"""
