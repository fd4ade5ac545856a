"""The records of a small comparison, with random labels and scores."""

import numpy as np

from svdx.comparison.study import Study


def small_study():
    """Seven excerpts of four tracks, two methods, three areas."""
    draw = np.random.default_rng(0)
    n, areas, fills = 7, np.array([0.01, 0.1, 0.5]), ["mean", "floor"]
    localised = {
        name: np.full(n, np.nan) for name in ("voice_iou", "pointing_game", "relevance_mass", "relevance_rank")
    }
    localised |= {name: np.full((3, n), np.nan) for name in ("voice_share", "voice_enrichment")}
    methods = {
        name: {
            "kept": draw.random((2, 3, n)) > 0.5,
            "removed": draw.random((2, 3, n)) > 0.5,
            "regions": np.ones((3, n)),
            "largest_region": np.ones((3, n)),
            "forwards": np.ones(n),
            "backwards": np.zeros(n),
            "seconds_of_batch": np.array([[4, 2.0], [3, 9.0]]),
            "seconds_alone": np.array([1.0, 3.0]),
            "seconds_first": np.array(7.0),
            "picture": draw.random((2, 115, 80)),
            "rank": draw.permuted(np.tile(np.arange(9200), (2, 1)), axis=1).reshape(2, 115, 80),
            **localised,
        }
        for name in ("inversion", "random")
    }
    vocal = np.arange(n) % 2 == 0
    return Study(
        fills=fills,
        areas=areas,
        names=list("abcd"),
        track=np.arange(n) // 2,
        start=np.arange(n),
        probability=vocal * 0.8,
        vocal=vocal,
        nothing=np.zeros((2, n), bool),
        localised=np.zeros(n, bool),
        voice_ratio=np.full(n, np.nan),
        shown=np.array([0, 6]),
        logmel=draw.random((2, 115, 80)),
        methods=methods,
    )
