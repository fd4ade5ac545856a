"""Arrays and sounds encoded for the page, and the marks of its axes."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
import soundfile

if TYPE_CHECKING:  # a front end brings torch along, which a page does without
    from svdx.audio.logmel import FrontEnd

FREQUENCIES = (100, 200, 500, 1000, 2000, 4000, 8000)  # Hz, marked on the axis of pages and figures
SECONDS = (0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)  # between the marks of the time axis
WAV_SECONDS = 10  # longer sounds are MP3 in the page, which every browser plays and seeks in


def shades(logmel: np.ndarray) -> np.ndarray:
    """Brightness of each bin: 0 at the first percentile of the log-mel and below, 255 at the 99th and above."""
    low, high = np.percentile(logmel, [1, 99])
    return np.rint(255 * np.clip((logmel - low) / max(high - low, 1e-9), 0, 1)).astype(np.uint8)


def colours() -> np.ndarray:
    """Red, green and blue of each brightness, [256, 3] uint8."""
    return np.rint(255 * matplotlib.colormaps["magma"](np.arange(256))[:, :3]).astype(np.uint8)


def packed(array: np.ndarray) -> str:
    """An array's bytes as base64."""
    return base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()


def frequency_marks(frontend: FrontEnd) -> list[tuple[str, float]]:
    """Labels of the frequency axis, and their positions in per cent of the height, from the top."""
    edges = frontend.band_edges().numpy()
    shown = [hertz for hertz in FREQUENCIES if edges[0] <= hertz <= edges[-1]]
    heights = np.interp(shown, edges, np.linspace(100, 0, len(edges)))
    return [(f"{hertz}", round(float(height), 2)) for hertz, height in zip(shown, heights, strict=True)]


def second_marks(seconds: float, at_most: int = 10) -> list[tuple[str, float]]:
    """Labels of the time axis, and their positions in per cent of the width.

    at_most: number of marks, for up to five hours

    >>> second_marks(2.0)
    [('0', 0.0), ('0.5', 25.0), ('1', 50.0), ('1.5', 75.0)]
    >>> [text for text, _ in second_marks(130.0)]
    ['0:00', '0:20', '0:40', '1:00', '1:20', '1:40', '2:00']
    """
    step = next((step for step in SECONDS if seconds / step < at_most), SECONDS[-1])
    times = np.arange(0, seconds, step).tolist()
    return [(clock(time) if seconds >= 60 else f"{time:.3g}", round(100 * time / seconds, 3)) for time in times]


def clock(seconds: float) -> str:
    """Minutes and seconds.

    >>> clock(83.2)
    '1:23'
    """
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def sound_uri(samples: np.ndarray, sample_rate: int) -> str:
    """Samples [n] as a data URI that browsers play: WAV, or MP3 at 56 kbit/s if it is long."""
    buffer, short = io.BytesIO(), len(samples) <= WAV_SECONDS * sample_rate
    if short:
        soundfile.write(buffer, samples, sample_rate, format="WAV", subtype="PCM_16")
    else:
        options = dict(subtype="MPEG_LAYER_III", bitrate_mode="CONSTANT", compression_level=0.7)
        soundfile.write(buffer, samples, sample_rate, format="MP3", **options)
    return f"data:audio/{'wav' if short else 'mpeg'};base64," + base64.b64encode(buffer.getvalue()).decode()


def faded(n: int, length: int) -> np.ndarray:
    """Gains that fade n samples in over the first `length` of them and out over the last, [n] float32.

    >>> faded(7, 2).tolist()
    [0.25, 0.75, 1.0, 1.0, 1.0, 0.75, 0.25]
    """
    ramp = (np.arange(n, dtype=np.float32) + 0.5) / max(length, 1)
    return np.minimum(1, np.minimum(ramp, ramp[::-1]))
