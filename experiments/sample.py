"""Final features of some test images, for pictures of the representation."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from avalanche_pnr.distributed.collectives import rank
from avalanche_pnr.evaluation import extract_stream
from avalanche_pnr.runs.files import write_whole

IMAGES = 1000
"""Largest number of test images whose features are kept."""


def save_features(
    path: Path, model: nn.Module, stream: Sequence[Any], **kwargs: Any
) -> None:
    """Write features, labels and experiences of images drawn from a stream.

    Args:
        path: A ``.npz`` file, written as a whole or not at all.
        model: Maps images (N, C, H, W) to features (N, F).
        stream: Experiences of test images.
        **kwargs: Arguments of :func:`avalanche_pnr.evaluation.extract_features`.
    """
    parts = extract_stream(model, stream, **kwargs)
    features, labels = (
        np.concatenate([each.cpu().numpy() for each in column])
        for column in zip(*parts, strict=True)
    )
    experience = np.repeat(np.arange(len(parts)), [len(x) for x, _ in parts])
    rows = np.random.default_rng(0).permutation(len(labels))[:IMAGES]
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        features=features[rows].astype(np.float32),
        labels=labels[rows],
        experience=experience[rows],
    )
    if rank() == 0:
        write_whole(path, buffer.getvalue())
