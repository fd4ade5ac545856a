"""Seeds that follow from others: no sum of a seed and a number, of which seed 0 and 1 share all but one."""

from __future__ import annotations

import hashlib


def derived_seed(*parts: int) -> int:
    """A seed of 64 bits for `torch.Generator` that depends on every part and on their order.

    >>> derived_seed(0, 1) == derived_seed(1, 0)
    False
    """
    return int.from_bytes(hashlib.sha256(" ".join(map(str, parts)).encode()).digest()[:8], "big")
