"""What the inverters of all layers have in common: whose features they take, and what of them is penalised."""

from __future__ import annotations

import torch
from torch import Tensor, nn

EPSILON = 1e-4  # Lasagne's default for batch normalisation


class InverterNet(nn.Module):
    """A network from the features of a classifier's layer to a standardised log-mel picture [B, frames, bands].

    layer: see `svdx.models.layers`; width: channels; n_features: numbers that it takes for an excerpt
    inverts: fingerprint of the classifier whose features it was trained on; empty where unknown.
    """

    def __init__(self, layer: str, n_features: int, width: int, frames: int, bands: int) -> None:
        super().__init__()
        self.layer, self.n_features, self.width = layer, n_features, width
        self.frames, self.bands, self.inverts = frames, bands, ""

    def initialise(self) -> None:
        """He-normal weights, as Lasagne's; only the last linear layer has a bias, 0."""
        for layer in self.linear_layers():
            nn.init.kaiming_normal_(layer.weight, nonlinearity="linear")  # Lasagne's HeNormal has gain 1
        nn.init.zeros_(self.linear_layers()[-1].bias)

    def linear_layers(self) -> list[nn.Module]:
        """Dense layers, up-convolutions and convolutions, from input to output."""
        return [layer for layer in self.modules() if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]

    def norm_layers(self) -> list[nn.Module]:
        """The batch norms, one to each linear layer but the last."""
        return [layer for layer in self.modules() if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d)]

    def l2(self) -> Tensor:
        """Σ w² over the weights and the batch-norm scales γ, not over biases and β: the penalty of the original."""
        penalised = [layer.weight.flatten() for layer in self.linear_layers() + self.norm_layers()]
        return torch.cat(penalised).square().sum()
