"""Log-mel excerpts on the device that they are needed on, so that a step copies nothing to it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from svdx.data.excerpts import Excerpts

SHARE = 0.5  # of a GPU's free memory that the excerpts may take


class Resident(Dataset):
    """The batches of `Excerpts`, cut on a device from the log-mels of all tracks, one behind the other."""

    def __init__(self, excerpts: Excerpts, device: torch.device) -> None:
        tracks = [excerpts.store.logmel(track) for track in excerpts.tracks]
        first = np.cumsum([0, *map(len, tracks)])
        self.frames = torch.empty(first[-1], tracks[0].shape[1], device=device)
        for start, track in zip(first, tracks):
            self.frames[start : start + len(track)] = torch.tensor(track)
        self.starts = torch.from_numpy(first[excerpts.track_of] + excerpts.start_of).to(device)
        self.window = torch.arange(excerpts.window, device=device)
        self.vocal = torch.from_numpy(excerpts.vocal).to(device)
        self.track = torch.from_numpy(excerpts.track_of).to(device)
        self.features = None if excerpts.features is None else excerpts.features.to(device)

    @staticmethod
    def fits(excerpts: Excerpts, device: torch.device) -> bool:
        """Is the device a GPU with room for all of the log-mels?"""
        if device.type != "cuda" or excerpts.cut_samples:
            return False
        needed = sum(excerpts.store.logmel(track).nbytes for track in excerpts.tracks)
        return needed < SHARE * torch.cuda.mem_get_info(device)[0]

    def __getitem__(self, numbers: Tensor) -> dict[str, Tensor]:
        here = numbers.to(self.starts.device)
        batch = {
            "logmel": self.frames[self.starts[here, None] + self.window],
            "vocal": self.vocal[here],
            "track": self.track[here],
            "number": here,
        }
        if self.features is not None:
            batch["features"] = self.features[here]
        return batch
