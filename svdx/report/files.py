"""Results as files: figure, arrays, sounds and page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from torch import Tensor

from svdx.audio.logmel import FrontEnd
from svdx.explanation.maximisation import Extreme
from svdx.explanation.results import ExcerptResult, TrackResult
from svdx.report.facts import facts_of
from svdx.report.figures import result_figure, unit_figure
from svdx.report.page import explanation_page


def write_result(result: ExcerptResult | TrackResult, directory: Path, sounds: bool = True) -> dict[str, str]:
    """Write an explanation into `directory` and return its facts, see `facts_of`.

    Written: explanation.png, explanation.npz, report.html; with `sounds`, at the input's rate and in its channels,
    excerpt.wav or track.wav, explanation.wav (the kept part) and removed.wav.
    """
    facts = facts_of(result)
    directory.mkdir(parents=True, exist_ok=True)
    result_figure(result).savefig(directory / "explanation.png", dpi=150)
    write_arrays(directory / "explanation.npz", result.explanation.arrays())
    if sounds:
        whole, kept, rate = result.sound.samples, result.kept.samples, result.sound.rate
        write_wav(directory / f"{'excerpt' if result.timeline is None else 'track'}.wav", whole, rate)
        write_wav(directory / "explanation.wav", kept, rate)
        write_wav(directory / "removed.wav", whole - kept, rate)
    (directory / "report.html").write_text(explanation_page(result, facts), encoding="utf-8")
    return facts


def write_unit(unit: str, extremes: dict[str, Extreme], frontend: FrontEnd, directory: Path) -> None:
    """Write maximised.png and maximised.npz (maximum, maximum_trace, …) into `directory`.

    extremes: of the unit, see `svdx.explanation.maximisation.extremes`
    """
    directory.mkdir(parents=True, exist_ok=True)
    unit_figure(unit, extremes, frontend).savefig(directory / "maximised.png", dpi=150)
    arrays = {name: extreme.excerpt.numpy() for name, extreme in extremes.items()}
    traces = {f"{name}_trace": extreme.trace.numpy() for name, extreme in extremes.items()}
    write_arrays(directory / "maximised.npz", {**arrays, **traces})


def write_arrays(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write named arrays as .npz."""
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]  # the stubs take a name for allow_pickle


def write_wav(path: Path, samples: Tensor, rate: int) -> None:
    """Write samples, [n] or [channels, n], full scale = 1, as float32: nothing clips, and kept and removed part sum to
    the whole. Equal samples give equal files."""
    soundfile.write(path, samples.T.numpy() if samples.ndim > 1 else samples.numpy(), rate, subtype="FLOAT")
    with path.open("r+b") as file:  # the PEAK chunk holds the time of writing
        chunk = file.read(256).find(b"PEAK")
        if chunk >= 0:
            file.seek(chunk + 12)  # behind its name, size and version
            file.write(bytes(4))
