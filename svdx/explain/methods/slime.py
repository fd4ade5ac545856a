"""SLIME: which blocks of an excerpt a local linear model of the classifier leans on."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from svdx.explain.methods.attribution import AT_ONCE
from svdx.explain.methods.block_attribution import BlockAttributed
from svdx.schema.checks import checked
from svdx.schema.types import PositiveFloat, Seed


@checked
class Slime(BlockAttributed):
    """LIME over time–frequency blocks (Mishra, Sturm and Dixon, ISMIR 2017), by Captum's Lime.

    As in the authors' program for SVDNet: 24 blocks, each hidden with probability ½ in 2000 variations, the first of
    which is the excerpt itself; a hidden block holds the training mean; ridge regression (α = 1, with intercept),
    variations weighted by √exp(−d²/w²), where d is the cosine distance of the blocks that are left from all blocks.
    Different from it: evidence is the log-odds of the predicted class, not the probability of singing; all blocks are
    scored instead of the three best; blocks are as equal as can be (20, 19, 19, 19, 19 and 19 frames), theirs had the
    spare frame in the last. Their temporal explanations were of waveforms, here they are of the same excerpts.

    kernel_width: w; the rest as in `BlockAttributed`
    """

    name = "slime"

    def __init__(self, classifier: nn.Module, seed: Seed = 0, kernel_width: PositiveFloat = 0.25, **options) -> None:
        super().__init__(classifier, seed, **options)
        self.kernel_width = kernel_width

    def sample(self, model: nn.Module, excerpt: Tensor, label: Tensor) -> Tensor:
        from captum._utils.models.linear_model import SkLearnRidge
        from captum.attr import Lime

        def similarity(whole: Tensor, hidden: Tensor, shown: Tensor, **_: object) -> float:
            return proximity(shown, self.kernel_width)

        method = Lime(model, SkLearnRidge(alpha=1.0), similarity, shown_blocks)
        how = {"n_samples": self.samples, "perturbations_per_eval": AT_ONCE, "feature_mask": self.blocks(excerpt)}
        return method.attribute(excerpt, target=label, baselines=0, **how)


def shown_blocks(excerpt: Tensor, num_interp_features: int, **_: object) -> Iterator[Tensor]:
    """Without end, which of the blocks are shown, 0 or 1, [1, blocks]: first all, then each with probability ½."""
    yield torch.ones(1, num_interp_features, dtype=torch.long, device=excerpt.device)
    while True:
        yield torch.randint(2, (1, num_interp_features)).to(excerpt.device)


def proximity(shown: Tensor, width: float) -> float:
    """How much a variation counts: √exp(−d²/width²) with d = 1 − √(share of its blocks that are shown).

    That d is the cosine distance of a vector of zeros and ones from one of ones.

    >>> proximity(torch.ones(1, 24), 0.25)
    1.0
    """
    distance = 1 - math.sqrt(float(shown.float().mean()))
    return math.exp(-((distance / width) ** 2) / 2)
