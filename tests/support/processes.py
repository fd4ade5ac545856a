"""Functions run by two processes at once that share a process group, as in DDP on a CPU."""

import multiprocessing
import os
from functools import partial

import pytorch_lightning as pl
import torch
from torch import distributed

LONGEST = 300  # seconds


def on_two(function, place):
    """What function(rank) gives in either of two processes.

    place: a directory of one's own
    """
    processes = [
        multiprocessing.get_context("fork").Process(target=partial(_join, function, place, rank)) for rank in (0, 1)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(LONGEST)
        process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    return [torch.load(place / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


def quiet_trainer(rank=None, **options):
    """A trainer on the CPU: of process `rank` of two, inside `on_two`, or of one."""
    if rank is not None:
        os.environ["LOCAL_RANK"] = str(rank)
        options |= dict(devices=2, strategy="ddp")
    quiet = dict(logger=False, enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False)
    return pl.Trainer(accelerator="cpu", use_distributed_sampler=False, num_sanity_val_steps=0, **quiet, **options)


def _join(function, place, rank):
    distributed.init_process_group("gloo", init_method=f"file://{place}/store", rank=rank, world_size=2)
    torch.save(function(rank), place / f"{rank}.pt")
    distributed.destroy_process_group()
