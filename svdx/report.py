"""An explanation as one HTML page that needs nothing beside itself."""

from __future__ import annotations

import base64
import io

import numpy as np
import soundfile
from jinja2 import Environment, PackageLoader, select_autoescape
from matplotlib.figure import Figure
from torch import Tensor

from svdx.explain.explainer import Explanation


def explanation_facts(explanation: Explanation) -> dict[str, str]:
    """What an explanation of one excerpt says in words and numbers."""

    def heard(vocal: Tensor, probability: Tensor) -> str:
        return f"{'singing' if vocal[0] else 'no singing'} (p = {float(probability[0]):.3f})"

    return {
        "excerpt": heard(explanation.vocal, explanation.probability),
        "explanation": heard(explanation.masked_vocal, explanation.masked_probability),
        "label": "flipped" if explanation.flipped[0] else "kept",
        "area kept": f"{100 * float(explanation.area[0]):.1f} %",
        "decision threshold": f"p > {explanation.decision:.2f}",
    }


def explanation_page(
    title: str, facts: dict[str, str], figure: Figure, sounds: dict[str, Tensor], sample_rate: int
) -> str:
    """HTML with the facts as a table, the figure, and a player for each sound.

    facts: what to say → its value, as text; sounds: name → samples [n], full scale = 1
    """
    environment = Environment(loader=PackageLoader("svdx"), autoescape=select_autoescape())
    players = {name: _wav_uri(samples.numpy(), sample_rate) for name, samples in sounds.items()}
    return environment.get_template("explanation.html").render(
        title=title, facts=facts, picture=_png_uri(figure), players=players
    )


def _png_uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _wav_uri(samples: np.ndarray, sample_rate: int) -> str:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="WAV", subtype="PCM_16")
    return "data:audio/wav;base64," + base64.b64encode(buffer.getvalue()).decode()
