"""The region of the kept energy in Hz, in seconds and in words, as the paper describes its Figure 4."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST = 0.8  # of the kept energy


@dataclass(frozen=True)
class Region:
    """The frequencies (Hz) and the seconds that hold most of the kept energy, and how many seconds there are."""

    low: float
    high: float
    start: float
    end: float
    seconds: float

    def __str__(self) -> str:
        """In words.

        >>> str(Region(low=304.2, high=1512.0, start=0.0, end=1.03, seconds=1.64))
        'mostly 300–1500 Hz, first 1.0 s'
        """
        return f"mostly {_round(self.low)}–{_round(self.high)} Hz, {self._when()}"

    def _when(self) -> str:
        """The time range in words. Times are rounded first: to tenths of a second, or from a minute on to seconds."""
        written, unit = (_clock, 1) if self.seconds >= 60 else (_tenths, 0.1)
        start, stop, end = (round(time / unit) for time in (self.start, self.end, self.seconds))
        if (start, stop) == (0, end):
            return "throughout"
        if start == stop:
            return f"about {written(start)}"
        if start == 0:
            return f"first {written(stop)}"
        if stop == end:
            return f"last {written(end - start)}"
        return f"{written(start).removesuffix(' s')}–{written(stop)}"


@dataclass(frozen=True)
class Voice:
    """Where the voice is, if it is known alone.

    bins: where it is louder than the rest, [frames, bands] bool
    share, kept_share: of the energy, and of the kept energy, that is voice (NaN if nothing is kept)
    """

    bins: np.ndarray
    share: float
    kept_share: float


def voice_of(voice: np.ndarray, accompaniment: np.ndarray, mask: np.ndarray) -> Voice:
    """Where the voice is in a log-mel with a mask. voice, accompaniment: log-mel of the stems, [frames, bands]"""
    share = voice_share(voice, accompaniment, np.ones_like(mask))
    return Voice(voice_bins(voice, accompaniment), share, voice_share(voice, accompaniment, mask))


def region(
    logmel: np.ndarray, mask: np.ndarray, edges: np.ndarray, frame_rate: float, most: float = MOST
) -> Region | None:
    """The region of most of the energy that a mask keeps, or None if it keeps nothing.

    The energy of a bin is the square of its mel magnitude, exp(2 · log-mel). Summed over time, it gives every band's
    share, and the frequency range is the shortest run of neighbouring bands with at least `most` of the kept energy
    (of equally short runs the one with more, then the lower); the time range is the same over frames. The two are
    found independently, so the rectangle that they span may hold less than `most`.

    logmel: [frames, bands], natural logarithm, not standardised; mask: [frames, bands], 1 = kept
    edges: limits of the bands, [bands + 1], Hz; frame_rate: frames per second; frame i lasts from i to i + 1 of them
    """
    energy = kept_energy(logmel, mask)
    if not energy.sum() > 0:
        return None
    bands, frames = shortest_run(energy.sum(0), most), shortest_run(energy.sum(1), most)
    seconds = (frames.start / frame_rate, frames.stop / frame_rate, len(energy) / frame_rate)
    return Region(float(edges[bands.start]), float(edges[bands.stop]), *seconds)


def kept_energy(logmel: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Squared mel magnitude of the kept bins, 0 elsewhere, [frames, bands] float64."""
    return np.where(mask, np.exp(2 * np.asarray(logmel, float)), 0.0)


def shortest_run(energy: np.ndarray, most: float = MOST) -> slice:
    """The shortest run of neighbours with at least the share `most` of the sum of energy [n] ≥ 0. The sum is not 0.

    >>> shortest_run(np.array([1.0, 0.0, 4.0, 5.0, 0.0]))
    slice(2, 4, None)
    """
    total = np.concatenate([[0.0], np.cumsum(energy)])
    enough = most * total[-1] * (1 - 1e-12)  # tolerates rounding
    for length in range(1, len(energy) + 1):
        held = total[length:] - total[:-length]
        first = int(held.argmax())
        if held[first] >= enough:
            return slice(first, first + length)
    raise ValueError("energy: expected numbers ≥ 0")


def voice_bins(voice: np.ndarray, accompaniment: np.ndarray) -> np.ndarray:
    """Bins in which the voice is louder than everything else; both log-mel [frames, bands] → bool."""
    return voice > accompaniment


def voice_share(voice: np.ndarray, accompaniment: np.ndarray, mask: np.ndarray) -> float:
    """Share of the kept energy that is voice: V² / (V² + A²), summed over the kept bins; nan where none is kept.

    voice, accompaniment: log-mel of the stems, [frames, bands]; mask: [frames, bands], 1 = kept
    """
    sung, other = kept_energy(voice, mask).sum(), kept_energy(accompaniment, mask).sum()
    return float(sung / (sung + other)) if sung + other > 0 else float("nan")


def _round(frequency: float) -> int:
    """To two significant digits."""
    return int(float(f"{frequency:.2g}"))


def _tenths(tenths: int) -> str:
    """Tenths of a second.

    >>> _tenths(16)
    '1.6 s'
    """
    return f"{tenths / 10:.1f} s"


def _clock(seconds: int) -> str:
    """Minutes and seconds.

    >>> _clock(83)
    '1:23'
    """
    return f"{seconds // 60}:{seconds % 60:02}"
