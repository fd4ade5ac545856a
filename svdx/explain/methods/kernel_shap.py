"""Kernel SHAP: the Shapley value of every block of an excerpt."""

from __future__ import annotations

from torch import Tensor, nn

from svdx.explain.methods.attribution import AT_ONCE
from svdx.explain.methods.block_attribution import BlockAttributed


class KernelShap(BlockAttributed):
    """Shapley values by a weighted linear regression (Lundberg and Lee, NIPS 2017), by Captum's KernelShap.

    The values of all blocks sum to the difference between the excerpt's log-odds and the training mean's. As many
    variations as SLIME has; Lundberg's program draws 2048 and two for every block.
    """

    name = "kernel_shap"

    def sample(self, model: nn.Module, excerpt: Tensor, label: Tensor) -> Tensor:
        from captum.attr import KernelShap as Method

        how = {"n_samples": self.samples, "perturbations_per_eval": AT_ONCE, "feature_mask": self.blocks(excerpt)}
        return Method(model).attribute(excerpt, target=label, baselines=0, **how)
