"""What W&B recorded, read back from the .wandb file of an offline run.

Seven bytes, then LevelDB's log format: blocks of 32 KiB from the file's beginning, filled with chunks of a header
(checksum, length, type) and data; a block's last bytes are padding where no header fits. A record is one whole chunk,
or a first, middle ones and a last; it holds a protobuf.
"""

import json
import struct
from pathlib import Path
from types import SimpleNamespace

import wandb
from wandb.proto.wandb_internal_pb2 import Record

MAGIC, HEADER, BLOCK = 7, struct.Struct("<IHB"), 1 << 15  # bytes; header: checksum, length, type
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(path):
    """Every record of a .wandb file, in the order of writing."""
    content, at, parts = path.read_bytes(), MAGIC, []
    assert content[:4] == b":W&B"
    while at + HEADER.size <= len(content):
        if BLOCK - at % BLOCK < HEADER.size:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = HEADER.unpack_from(content, at)
        assert (kind in (WHOLE, FIRST)) == (not parts) and kind in (WHOLE, FIRST, MIDDLE, LAST)
        at += HEADER.size + length
        parts.append(content[at - length : at])
        if kind in (WHOLE, LAST):
            yield Record.FromString(b"".join(parts))
            parts = []
    assert not parts, "the last record is not whole"


def update(found, items):
    """Put a record's items into a dictionary, in which nested keys are nested dictionaries."""
    for item in items:
        *parents, name = item.nested_key or [item.key]
        place = found
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = json.loads(item.value_json)
    return found


def read(directory):
    """The one offline run below `directory`/wandb: its `run` (group, name, tags), its `config`, its `history` (the
    rows), its `summary`, its `exit_code` (None: it has not ended) and its `files` (a directory)."""
    wandb.teardown()  # W&B's process still writes when `finish` returns
    (path,) = Path(directory).glob("wandb/offline-run-*/run-*.wandb")
    found = SimpleNamespace(run=None, config={}, history=[], summary={}, exit_code=None, files=path.parent / "files")
    for record in records(path):
        kind = record.WhichOneof("record_type")
        if kind == "run":
            found.run = record.run
            update(found.config, record.run.config.update)
        elif kind == "config":
            update(found.config, record.config.update)
        elif kind == "history":
            found.history.append(update({}, record.history.item))
        elif kind == "summary":
            update(found.summary, record.summary.update)
        elif kind == "exit":
            found.exit_code = record.exit.exit_code
    return found
