"""Explanation loss at 11 thresholds: all thresholds in one pass, against one excerpt and one threshold at a time, as in
the original program (which takes about one second each on two cores).

python -m benchmarks.evaluation [excerpts]
"""

import sys
import time
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.row import HEAD, Row, milliseconds
from svdx.data.batches import Batches
from svdx.evaluation.evaluator import Evaluator
from svdx.explanation import FeatureInversion
from svdx.models import SVDNet, UpConv

THRESHOLDS = [i / 10 for i in range(11)]
ORIGINAL = 1.0  # seconds per excerpt and threshold on two cores
N_BASELINE = 20  # excerpts for the baseline
BATCH = 32


class Noise(Dataset):
    """Excerpts of smooth noise, so that masks are regions that differ between thresholds."""

    tracks = (Path("noise"),)

    def __init__(self, n: int) -> None:
        coarse = torch.randn(n, 1, 12, 8, generator=torch.Generator().manual_seed(0))
        self.excerpts = torch.nn.functional.interpolate(coarse, (115, 80), mode="bilinear")[:, 0]

    def __len__(self) -> int:
        return len(self.excerpts)

    def __getitem__(self, numbers: torch.Tensor) -> dict[str, torch.Tensor]:
        rest = {"vocal": torch.zeros(len(numbers), dtype=torch.bool), "track": torch.zeros(len(numbers)).long()}
        return {"logmel": self.excerpts[numbers], "number": numbers, **rest}


class Data(pl.LightningDataModule):
    """The noise as a test split."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.test_set = Noise(n)

    def test_dataloader(self) -> DataLoader:
        return DataLoader(self.test_set, batch_size=None, sampler=Batches(len(self.test_set), BATCH))


def one_by_one(explainer: FeatureInversion, excerpts: torch.Tensor) -> float:
    """Seconds per excerpt and threshold, each on its own."""
    explainer(excerpts[:1])  # warm
    start = time.perf_counter()
    for excerpt in excerpts:
        for threshold in THRESHOLDS:
            explainer.threshold = threshold
            explainer(excerpt[None]).flipped.item()
    return (time.perf_counter() - start) / len(excerpts) / len(THRESHOLDS)


def in_one_pass(explainer: FeatureInversion, data: Data) -> float:
    """Seconds per excerpt and threshold in the evaluator."""
    evaluator = Evaluator(explainer, THRESHOLDS)
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, enable_model_summary=False)
    start = time.perf_counter()
    trainer.test(evaluator, datamodule=data, verbose=False)
    return (time.perf_counter() - start) / len(data.test_set) / len(THRESHOLDS)


def rows(n: int = 300) -> list[Row]:
    torch.manual_seed(0)
    explainer = FeatureInversion(SVDNet().eval(), UpConv(16).eval())
    data = Data(n)
    alone = one_by_one(explainer, data.test_set.excerpts[:N_BASELINE])
    together = in_one_pass(explainer, data)
    what = f"evaluation of {n} excerpts, per excerpt and threshold of {len(THRESHOLDS)}"
    return [
        Row(f"{what}, in one pass; baseline: each on its own", milliseconds(together), milliseconds(alone),
            alone / together, ""),
        Row(f"{what}; baseline: the original program", milliseconds(together), milliseconds(ORIGINAL, 0),
            ORIGINAL / together, "at least 20"),
    ]  # fmt: skip


if __name__ == "__main__":
    print(HEAD, *rows(int(sys.argv[1]) if len(sys.argv) > 1 else 3000), sep="\n")
