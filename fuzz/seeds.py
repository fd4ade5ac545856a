"""Small valid files of each kind, from which the cases are mutated."""

from __future__ import annotations

import io
import zipfile

import av
import numpy as np
import soundfile
import torch
from safetensors.torch import save

from svdx.models import SVDNet, UpConv
from svdx.models.weights import describe

RATE = 22050
FRAMES = BANDS = 25  # the smallest SVDNet
LAB = "0.000 1.5 nosing\n1.5 2.25 sing\n4 5.125 sing\n"
LISTS = {"train": "one.ogg\ntwo é.mp3\n", "valid": "three.wav\n", "test": "four.flac\n"}


CODED = {  # (container, codec) by the suffix under which they are read: the content decides, not the name
    "wav": (
        ("w64", "pcm_s16le"),
        ("caf", "pcm_s24be"),
        ("aiff", "pcm_s16be"),
        ("wav", "adpcm_ms"),
        ("mov", "pcm_s16le"),
    ),
    "ogg": (("ogg", "libopus"), ("ogg", "flac"), ("webm", "libopus")),
    "mp3": (("ipod", "aac"), ("mp4", "alac"), ("adts", "aac"), ("asf", "wmav2"), ("ac3", "ac3")),
    "flac": (("matroska", "flac"), ("tta", "tta"), ("wv", "wavpack")),
}


def tone(rate: int = RATE) -> np.ndarray:
    """A third of a second of stereo, [n, 2]."""
    return 0.3 * np.sin(2 * np.pi * 440 * np.arange(rate // 3) / rate)[:, None] * [1, 0.5]


def sound(suffix: str) -> bytes:
    """A tone as soundfile writes it."""
    buffer = io.BytesIO()
    soundfile.write(buffer, tone(), RATE, format=suffix.upper())
    return buffer.getvalue()


def coded(container: str, coder: str) -> bytes:
    """A tone as FFmpeg writes it."""
    buffer, rate = io.BytesIO(), 48000
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(coder, rate=rate, layout="stereo", bit_rate=128_000)
        frame = av.AudioFrame.from_ndarray(tone(rate).astype(np.float32).reshape(1, -1), "flt", "stereo")
        frame.sample_rate, frame.pts = rate, 0
        for piece in (frame, None):
            file.mux(stream.encode(piece))
    return buffer.getvalue()


def networks() -> dict[str, tuple[dict[str, torch.Tensor], dict[str, str]]]:
    """Arrays and description of a classifier and of an inverter."""
    torch.manual_seed(0)
    made = {"classifier": SVDNet(FRAMES, BANDS), "inverter": UpConv(8, FRAMES, BANDS)}
    return {name: (network.state_dict(), describe(network)) for name, network in made.items()}


def checkpoint(state: dict[str, torch.Tensor], description: dict[str, str]) -> bytes:
    """As Lightning writes one."""
    buffer = io.BytesIO()
    torch.save({"state_dict": {f"network.{key}": value for key, value in state.items()}, "svdx": description}, buffer)
    return buffer.getvalue()


def export(state: dict[str, torch.Tensor], description: dict[str, str]) -> bytes:
    """A .safetensors file."""
    return save({key: value.contiguous() for key, value in state.items()}, description)


def arrays(compressed: bool) -> bytes:
    """A standardisation."""
    buffer = io.BytesIO()
    write = np.savez_compressed if compressed else np.savez
    write(buffer, mean=np.linspace(-5, -3, 80), std=np.ones(80))
    return buffer.getvalue()


def archive() -> bytes:
    """Jamendo as it is published."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for split, names in LISTS.items():
            target.writestr(f"jamendo/filelists/{split}", names)
            for name in names.split("\n")[:-1]:
                target.writestr(f"jamendo/audio/{name}", b"sound" * 20)
                target.writestr(f"jamendo/labels/{name.rpartition('.')[0]}.lab", LAB)
    return buffer.getvalue()


def seeds() -> dict[str, list[bytes]]:
    """Valid files by suffix; `.list` stands for lists of tracks, `.csv` for standardisations."""
    made = networks().values()
    return {
        **{suffix: [sound(suffix), *(coded(*how) for how in more)] for suffix, more in CODED.items()},
        "lab": [LAB.encode(), LAB.encode("utf-16"), LAB.replace("\n", "\r\n").encode("utf-8-sig")],
        "txt": [b"0.0\te\r\n0.5\tb\r\n2.0\tm:lead\r\n3.5\ts\r\n"],
        "list": [LISTS["train"].encode(), LISTS["train"].encode("latin-1")],
        "csv": [("band,mean,std\n" + "".join(f"{band},-4.5,1.25\n" for band in range(80))).encode()],
        "npz": [arrays(False), arrays(True)],
        "ckpt": [checkpoint(*network) for network in made],
        "safetensors": [export(*network) for network in made],
        "zip": [archive()],
    }
