"""Signal processing: pulse trains, time-varying filters, reverberation. Signals are mono, float32, [samples]."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]

WINDOW = 1024  # samples per filter frame, 46 ms at 22 050 Hz
HOP = 256
REFERENCE = 0.1  # RMS of a stem before its level is drawn


def decibels(level: float | Array) -> Any:
    """Amplitude factor of a level in dB, a float or an array."""
    return 10 ** (np.asarray(level) / 20)


def rms(signal: Array) -> float:
    """Root mean square of the samples above a thousandth of the peak; 0 for silence."""
    power = np.square(signal, dtype=np.float64)
    active = power > 1e-6 * power.max(initial=0)
    return float(np.sqrt(power[active].mean())) if active.any() else 0.0


def fluctuation(rng: np.random.Generator, times: Array, rate: float) -> Array:
    """A random curve at `times` [n], in seconds: standard normal values at `rate` Hz, interpolated linearly."""
    knots = np.arange(times[0], times[-1] + 2 / rate, 1 / rate)
    return np.interp(times, knots, rng.standard_normal(len(knots)))


def smooth(curves: Array, width: int) -> Array:
    """Curves [n, ...] smoothed over `width` points with a raised cosine; the ends are repeated."""
    if width < 2:
        return curves
    kernel = np.hanning(width + 2)[1:-1]
    flat = curves.reshape(len(curves), -1)
    padded = np.pad(flat, ((width // 2, width - 1 - width // 2), (0, 0)), mode="edge")
    columns = [np.convolve(column, kernel / kernel.sum(), mode="valid") for column in padded.T]
    return np.stack(columns, axis=1).reshape(curves.shape)


def pulse_train(frequency: Array, sample_rate: int) -> tuple[Array, Array]:
    """All harmonics of a gliding tone at unit amplitude, in cosine phase, without aliasing.

    The sum of cos(k x), k = 1..K, is computed as the Dirichlet kernel (sin((K + 1/2) x) / sin(x / 2) - 1) / 2, which
    takes one sine per sample instead of K.

    frequency: fundamental in Hz, [n]

    Returns: the signal and its phase in cycles, [n] each
    """
    phase = np.cumsum(frequency, dtype=np.float64) / sample_rate
    angle = (2 * np.pi * (phase % 1)).astype(np.float32)
    harmonics = np.floor(0.48 * sample_rate / frequency).astype(np.float32)
    half = np.sin(angle / 2)
    near = np.abs(half) < 1e-4
    kernel = np.where(near, 2 * harmonics + 1, np.sin((harmonics + 0.5) * angle) / np.where(near, 1, half))
    return ((kernel - 1) / 2).astype(np.float32), phase


def frame_times(samples: int, sample_rate: int) -> Array:
    """Centres in seconds of the frames of `shape` for a signal of `samples`."""
    frames = -(-(samples + WINDOW - HOP) // HOP)
    return (np.arange(frames) * HOP + WINDOW // 2 - (WINDOW - HOP)) / sample_rate


def bin_frequencies(sample_rate: int) -> Array:
    """Frequencies in Hz of the gains of `shape`, [WINDOW / 2 + 1]."""
    return np.fft.rfftfreq(WINDOW, 1 / sample_rate).astype(np.float32)


def shape(signal: Array, gains: Array) -> Array:
    """A zero-phase time-varying filter by overlap-add of short-time spectra.

    signal: [n]; gains: [frames, bins] at `frame_times`, or [bins] for a constant filter
    """
    frames = -(-(len(signal) + WINDOW - HOP) // HOP)
    margin = WINDOW - HOP
    padded = np.zeros((frames - 1) * HOP + WINDOW, np.float32)
    padded[margin : margin + len(signal)] = signal
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectra = np.fft.rfft(windows * window) * gains.astype(np.float32)
    pieces = np.fft.irfft(spectra, WINDOW).astype(np.float32) * (window / 2)
    steps = WINDOW // HOP
    out = np.zeros((frames + steps - 1, HOP), np.float32)
    for step in range(steps):
        out[step : step + frames] += pieces[:, step * HOP : (step + 1) * HOP]
    return out.ravel()[margin : margin + len(signal)]


def equalise(signal: Array, hertz: Array, gains_db: Array, sample_rate: int) -> Array:
    """A constant filter with gains in dB at ascending frequencies in Hz, interpolated linearly over log f."""
    at = np.log(np.maximum(bin_frequencies(sample_rate), 10))
    return shape(signal, decibels(np.interp(at, np.log(hertz), gains_db)))


def convolve(signal: Array, response: Array) -> Array:
    """Linear convolution cut to the signal's length; processes blocks to save memory."""
    block = 1 << max(15, int(len(response) - 1).bit_length() + 1)
    step = block - len(response)
    spectrum = np.fft.rfft(response.astype(np.float32), block)
    out = np.zeros(len(signal) + block, np.float32)
    for start in range(0, len(signal), step):
        piece = np.fft.rfft(signal[start : start + step].astype(np.float32), block)
        out[start : start + block] += np.fft.irfft(piece * spectrum, block)
    return out[: len(signal)]


def room(rng: np.random.Generator, seconds: float, sample_rate: int) -> Array:
    """Impulse response of a room without direct sound: noise that decays 60 dB in `seconds`, faster at high f."""
    times = np.arange(int(seconds * sample_rate)) / sample_rate
    noise = rng.standard_normal(len(times)).astype(np.float32)
    damping = rng.uniform(2000, 7000)
    shift = frame_times(len(times), sample_rate)
    rates = 6.9 / seconds * (1 + bin_frequencies(sample_rate) / damping)
    tail = shape(noise, np.exp(-np.maximum(shift, 0)[:, None] * rates))
    tail[: int(rng.uniform(0.002, 0.03) * sample_rate)] = 0
    return tail / np.sqrt(np.square(tail).sum() + 1e-9)


def chorus(rng: np.random.Generator, signal: Array, copies: int, depth: float, sample_rate: int) -> Array:
    """The signal plus copies with a random delay that varies by about `depth` seconds, as of players in a section."""
    samples = np.arange(len(signal))
    times = samples / sample_rate
    out = signal.astype(np.float32)
    for _ in range(copies):
        late = np.abs(rng.uniform(0.005, 0.03) + depth * fluctuation(rng, times, rng.uniform(2, 6)))
        out = out + np.interp(samples - late * sample_rate, samples, signal).astype(np.float32)
    return out


def add_at(target: Array, signal: Array, start: int) -> None:
    """Add a signal to a longer one from sample `start`, clipping it at both ends."""
    first = max(0, -start)
    last = min(len(signal), len(target) - start)
    if last > first:
        target[start + first : start + last] += signal[first:last]


def level(signal: Array) -> Array:
    """The signal scaled to the reference RMS; silence is returned unchanged."""
    loud = rms(signal)
    return signal * np.float32(REFERENCE / loud) if loud > 0 else signal
