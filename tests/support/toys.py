"""A classifier whose answer is known: it hears a rectangle of the excerpt, all of it alike, and nothing else."""

import torch
from torch import nn

FRAMES, BANDS = 24, 16
ROWS, COLUMNS = slice(6, 14), slice(4, 10)  # of the rectangle
RECTANGLE = torch.zeros(FRAMES, BANDS, dtype=torch.bool)
RECTANGLE[ROWS, COLUMNS] = True


class Planted(nn.Module):
    """Log-odds of singing are 8 × the mean of the rectangle. Its features are the rectangle's 48 bins."""

    n_features = int(RECTANGLE.sum())

    def __init__(self):
        super().__init__()
        self.fc9 = nn.Linear(self.n_features, 1, bias=False)
        nn.init.constant_(self.fc9.weight, 8 / self.n_features)

    def features(self, excerpts):
        return excerpts[:, ROWS, COLUMNS].flatten(1)

    def decide(self, features):
        return torch.sigmoid(self.fc9(features).squeeze(1))

    def logits(self, excerpts):
        return self.fc9(self.features(excerpts)).squeeze(1)

    def forward(self, excerpts):
        return torch.sigmoid(self.logits(excerpts))


class PlantedInverter(nn.Module):
    """Paints the features back where they were heard, and 0 elsewhere."""

    def forward(self, features):
        pictures = features.new_zeros(len(features), FRAMES, BANDS)
        pictures[:, ROWS, COLUMNS] = features.view(-1, 8, 6)
        return pictures


def planted_excerpts(n=6, seed=0):
    """n excerpts [n, 24, 16] and whether the classifier calls them singing: noise, and in the rectangle ±1 in turn."""
    noise = 0.3 * torch.randn(n, FRAMES, BANDS, generator=torch.Generator().manual_seed(seed))
    vocal = torch.arange(n) % 2 == 0
    return noise + RECTANGLE * torch.where(vocal, 1.0, -1.0)[:, None, None], vocal
