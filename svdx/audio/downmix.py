"""Weights of the channels in the mix to mono."""

from __future__ import annotations

from collections.abc import Sequence

FRONT, CENTRE, SURROUND = 0.5, 0.5**0.5, 0.5**1.5
# ITU-R BS.775-3, table 2, mono, as FFmpeg extends it to more positions, times √½, so that front channels alone are
# averaged, as stereo is. Low-frequency effects are left out. Names are FFmpeg's.
WEIGHTS = {
    **dict.fromkeys(("FL", "FR", "FLC", "FRC", "DL", "DR"), FRONT),
    "FC": CENTRE,
    "BC": FRONT,
    **dict.fromkeys(("BL", "BR", "SL", "SR", "WL", "WR", "TFL", "TFR", "TBL", "TBR", "TSL", "TSR"), SURROUND),
    **dict.fromkeys(("TC", "TFC", "TBC"), FRONT),
    **dict.fromkeys(("LFE", "LFE2"), 0.0),
}
USUAL = {  # positions by number of channels, for files that do not name them
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}


def weights(positions: Sequence[str]) -> tuple[float, ...]:
    """The weight of each channel in the mix to mono. positions: FFmpeg's names, "" for unknown ones.

    One or two channels are averaged, and so are channels of unknown positions, except that six are taken for 5.1 and
    eight for 7.1, as players do.

    >>> weights(("FL", "FR")), weights([""] * 4)
    ((0.5, 0.5), (0.25, 0.25, 0.25, 0.25))
    """
    n = len(positions)
    names = positions if any(positions) else USUAL.get(n, positions)
    if n <= 2 or not set(names) <= WEIGHTS.keys():
        return (1 / n,) * n
    return tuple(WEIGHTS[name] for name in names)
