"""How loud each channel is in the mix to one."""

from __future__ import annotations

from collections.abc import Sequence

FRONT, CENTRE, SURROUND = 0.5, 0.5**0.5, 0.5**1.5
# ITU-R BS.775-3, table 2, mono, as FFmpeg extends it to further places, times the root of a half: front channels alone
# are mixed as stereo is, to their mean. Low-frequency effects are left out. Names are FFmpeg's.
WEIGHTS = {
    **dict.fromkeys(("FL", "FR", "FLC", "FRC", "DL", "DR"), FRONT),
    "FC": CENTRE,
    "BC": FRONT,
    **dict.fromkeys(("BL", "BR", "SL", "SR", "WL", "WR", "TFL", "TFR", "TBL", "TBR", "TSL", "TSR"), SURROUND),
    **dict.fromkeys(("TC", "TFC", "TBC"), FRONT),
    **dict.fromkeys(("LFE", "LFE2"), 0.0),
}
USUAL = {  # what a file of so many channels holds that does not say
    6: ("FL", "FR", "FC", "LFE", "BL", "BR"),
    8: ("FL", "FR", "FC", "LFE", "BL", "BR", "SL", "SR"),
}


def weights(positions: Sequence[str]) -> tuple[float, ...]:
    """What each channel is multiplied by before they are summed. positions: FFmpeg's names, "" for unknown ones.

    The mean for one or two channels, and for channels of which it is not known where they belong, except for six and
    eight, which are 5.1 and 7.1 to every player.

    >>> weights(("FL", "FR")), weights([""] * 4)
    ((0.5, 0.5), (0.25, 0.25, 0.25, 0.25))
    """
    n = len(positions)
    known = USUAL.get(n, positions) if not any(positions) else positions
    if n <= 2 or not set(known) <= WEIGHTS.keys():
        return (1 / n,) * n
    return tuple(WEIGHTS[name] for name in known)
