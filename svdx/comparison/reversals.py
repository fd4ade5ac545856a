"""Orders of methods that another fill turns round: results of the fill, not of the methods."""

from __future__ import annotations

from itertools import combinations, permutations

from svdx.comparison.results import Found


def reversed_by_fill(found: Found, metric: str, fills: list[str]) -> set[str]:
    """Methods that are below some other by one fill and above it by another, each time by more than both intervals:
    these do not meet. metric: one of all areas, over the headline's class"""
    rows = {(name, fill): found(name, metric, fill, None, found.headline) for name in found.methods for fill in fills}
    turned = set()
    for one, other in combinations(found.methods, 2):
        below, above = (
            any(_below(rows[first, fill], rows[second, fill]) for fill in fills)
            for first, second in permutations((one, other))
        )
        if below and above:
            turned |= {one, other}
    return turned


def _below(one: dict | None, other: dict | None) -> bool:
    """Does the one interval end where the other has not begun?"""
    if one is None or other is None or one["ci_high"] is None or other["ci_low"] is None:
        return False
    return one["ci_high"] < other["ci_low"]
