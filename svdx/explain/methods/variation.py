"""How rough a picture is."""

from __future__ import annotations

from torch import Tensor, nn

BETA = 2  # exponent of the total variation (Mahendran and Vedaldi, CVPR 2015)


def variation(picture: Tensor) -> Tensor:
    """Total variation of pictures [B, frames, bands]: mean of (Δ²)^(β/2) over the bins, [B].

    >>> import torch
    >>> variation(torch.tensor([[[0.0, 3.0], [0.0, 3.0]]]))  # two of the four bins differ from their next one by 3
    tensor([4.5000])
    """
    frames = nn.functional.pad(picture.diff(dim=1).square(), (0, 0, 0, 1))
    bands = nn.functional.pad(picture.diff(dim=2).square(), (0, 1))
    return (frames + bands).pow(BETA / 2).mean((1, 2))
