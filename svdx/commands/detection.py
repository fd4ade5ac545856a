"""`detection=true`: the configured classifier at every frame of the validation and test splits."""

from __future__ import annotations

import pytorch_lightning as pl
import torch
from rich.progress import track as progress

from svdx.app.pipeline import Pipeline
from svdx.data.excerpts import frame_labels
from svdx.evaluation.detection import Detection, SmoothedFrames, TunedThreshold


@torch.no_grad()
def detection(pipeline: Pipeline, trainer: pl.Trainer) -> dict[str, float]:
    """The classifier's scores on the test split by the protocol of 2015, its threshold tuned on the validation split;
    see `svdx.evaluation.detection`. The trainer's processes share the tracks, so all of them must call this."""
    threshold = _update(pipeline, "valid", TunedThreshold(), trainer).compute()
    return {"threshold": threshold, **_update(pipeline, "test", Detection(threshold), trainer).compute()}


def _update(pipeline: Pipeline, split: str, metric: SmoothedFrames, trainer: pl.Trainer) -> SmoothedFrames:
    """Update a metric with this process's share of a split."""
    store, device = pipeline.store, trainer.strategy.root_device
    tracks = store.prepare(pipeline.corpus.split(split))
    network, metric = pipeline.prepare_classifier().to(device), metric.to(device)
    share, title = tracks[trainer.global_rank :: trainer.world_size], f"every frame of {len(tracks)} tracks, {split}"
    for track in progress(share, title, disable=not trainer.is_global_zero):
        logmel = torch.tensor(store.logmel(track))
        vocal = torch.from_numpy(frame_labels(track.segments, len(logmel), pipeline.frontend.frame_rate))
        metric.update_with_track(network, logmel.to(device), vocal.to(device))
    network.cpu()
    return metric
