"""What an offline run of wandb holds: LevelDB's log format of protobuf records."""

import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from wandb.proto.wandb_internal_pb2 import Record

HEADER, BLOCK, CHUNK_HEADER = 7, 32768, 7
WHOLE, LAST = 1, 4
History = dict[str, list[tuple[int, float]]]


def read_history(folder: Path) -> History:
    """Step and value of everything that the one run below a folder has logged."""
    (history,) = read_runs(folder).values()
    return history


def read_runs(folder: Path) -> dict[str, History]:
    """The same of every run below a folder, by the name of the run."""
    files = folder.glob("wandb/offline-run-*/run-*.wandb")
    runs = [_finished(path) for path in files]
    return {_name(records): _history(records) for records in runs}


def _name(records: list[Record]) -> str:
    names = (each.run.display_name for each in records if each.HasField("run"))
    return next(names)


def _history(records: list[Record]) -> History:
    history: History = defaultdict(list)
    for record in records:
        values = {
            "/".join(item.nested_key) or item.key: json.loads(item.value_json)
            for item in record.history.item
        }
        for name, value in values.items():
            history[name].append((values["_step"], value))
    return dict(history)


def _finished(path: Path) -> list[Record]:
    """All records of a run; wandb's own process is a little later than ``finish``."""
    for _ in range(6000):
        records = list(_records(path.read_bytes()))
        if any(record.HasField("exit") for record in records):
            return records
        time.sleep(0.02)
    raise TimeoutError(f"{path} does not end: the run has not been finished")


def _records(data: bytes) -> Iterator[Record]:
    position, content = HEADER, b""
    while position < len(data):
        left = BLOCK - position % BLOCK
        if left < CHUNK_HEADER:
            position += left
            continue
        size = int.from_bytes(data[position + 4 : position + 6], "little")
        kind = data[position + 6]
        position += CHUNK_HEADER
        content += data[position : position + size]
        position += size
        if kind in (WHOLE, LAST):
            yield Record.FromString(content)
            content = b""
