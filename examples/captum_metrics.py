"""Captum's metrics of svdx's explanations: how well the scores predict the classifier, and how stable they are.

python examples/captum_metrics.py cache/models/CORPUS song.mp3 START    (pip install "svdx[compare]")

Infidelity (Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", NeurIPS 2019): mean squared difference
between the change that the scores predict for a perturbation and the change of the predicted class's log-odds. The
scores of an inversion are not log-odds: `normalize=True` scales them for the best fit first.
Sensitivity: the greatest relative change of the scores when every bin changes by at most 0.02.
"""

from __future__ import annotations

import sys

import torch
from captum.metrics import infidelity, sensitivity_max
from torch import Tensor

import svdx
from svdx.explanation import Explainer, FeatureInversion
from svdx.explanation.as_attribution import AsAttribution
from svdx.explanation.methods.controls import Loudest, RandomBins

SAMPLES = 20  # perturbations of an excerpt


def noise(excerpts: Tensor) -> tuple[Tensor, Tensor]:
    """Perturb standardised excerpts: what is subtracted from their bins, and the rest."""
    taken = 0.1 * torch.randn_like(excerpts)
    return taken, excerpts - taken


def measured(explainer: Explainer, excerpts: Tensor, normalize: bool = True) -> dict[str, float]:
    """Infidelity and sensitivity, means over excerpts [B, frames, bands]."""
    attribution = AsAttribution(explainer)
    label = (explainer.classifier(excerpts) > explainer.decision).long()
    scores = attribution.attribute(excerpts, label)
    options = dict(target=label, n_perturb_samples=SAMPLES)
    unfaithful = infidelity(attribution.forward_func, noise, excerpts, scores, normalize=normalize, **options)
    unstable = sensitivity_max(attribution.attribute, excerpts, **options)
    return {"infidelity": float(unfaithful.mean()), "sensitivity": float(unstable.mean())}


def main(models: str, audio: str, start: str) -> None:
    networks = svdx.load(models)
    classifier, inversion = networks.classifier, FeatureInversion(networks.classifier, networks.inverter)
    excerpts = networks.explain(audio, float(start)).result.explanation.excerpts
    explainers: list[Explainer] = [inversion, Loudest(classifier), RandomBins(classifier)]
    for explainer in explainers:
        numbers = ", ".join(f"{name} {value:.3g}" for name, value in measured(explainer, excerpts).items())
        print(f"{explainer.name}: {numbers}")


if __name__ == "__main__":
    torch.manual_seed(0)
    main(*sys.argv[1:])
