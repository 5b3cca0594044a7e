"""Short digests that differ if any bit differs."""

import hashlib
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from avalanche_pnr.runs.files import load_state
from experiments.constants import BACKBONE, FEATURES, FIRST_STATE, RESULTS

_PER_COMMAND = ("environment", "command")
"""Lines of the results about the command, which differs in its folder."""


def fingerprint(value: Any) -> str:
    """A digest of tensors and plain data."""
    digest = hashlib.blake2b(digest_size=8)

    def add(item: Any) -> None:
        digest.update(type(item).__name__.encode())
        if isinstance(item, Tensor):
            digest.update(f"{item.dtype}{tuple(item.shape)}".encode())
            digest.update(item.detach().cpu().contiguous().numpy().tobytes())
        elif isinstance(item, dict):
            add([pair for pairs in item.items() for pair in pairs])
        elif isinstance(item, list | tuple):
            digest.update(str(len(item)).encode())
            for each in item:
                add(each)
        else:
            digest.update(repr(item).encode())

    add(value)
    return digest.hexdigest()


def outcome(out: Path, end: Path) -> dict[str, str]:
    """Fingerprints of all files of a finished run.

    Args:
        out: Folder of the run.
        end: File with the fingerprint of its last strategy: network, past model,
            optimizer, plugins, random number generators.
    """
    lines = [json.loads(each) for each in (out / RESULTS).read_text().splitlines()]
    results = [each for each in lines if each["run"] not in _PER_COMMAND]
    return {
        "last strategy": end.read_text(),
        "first experience": fingerprint(load_state(out / FIRST_STATE)),
        "results": fingerprint(results),
        **{
            path.name: fingerprint(path.read_bytes())
            for pattern in (FEATURES, BACKBONE)
            for path in sorted(out.glob(pattern.format(name="*")))
        },
    }
