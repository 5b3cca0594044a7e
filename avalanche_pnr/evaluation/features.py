"""Features of a data set, extracted once, by all processes together."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from avalanche_pnr.benchmarks.reading.progress import progress
from avalanche_pnr.distributed.sharding import sharded, whole_batch
from avalanche_pnr.reproducibility.random_state import preserve_random_state

BAR = "extracting features"


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put every module into eval mode, and restore each one's own mode afterwards."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@torch.no_grad()
def extract_features(
    model: nn.Module,
    dataset: Dataset[Any],
    *,
    batch_size: int = 256,
    device: str | torch.device = "cpu",
    num_workers: int = 0,
) -> tuple[Tensor, Tensor]:
    """Extract features and labels of a data set, in its order.

    The model is unchanged (parameters, BatchNorm statistics, modes), and so are the
    random number generators. Several processes divide the images between them, and
    each receives the features of all.

    Args:
        model: Maps inputs (N, ...) to features (N, F).
        dataset: Samples ``(x, label, ...)``.
        batch_size: Number of images in a forward pass.
        device: Device that the model is on.
        num_workers: Number of processes that load images.

    Returns:
        Features (N, F) and labels (N,), on the device.

    Raises:
        ValueError: If samples have no label or the label -1.
    """
    features, labels = [], []
    with _reading(model, dataset, batch_size, num_workers) as batches:
        for batch in progress(batches, BAR):
            images, y = labelled(batch)
            features.append(whole_batch(batches, model(images.to(device))))
            labels.append(whole_batch(batches, y.to(device)))
    return torch.cat(features), torch.cat(labels)


@torch.no_grad()
def extract_unlabelled(
    model: nn.Module,
    dataset: Dataset[Any],
    *,
    input_dims: int = 3,
    batch_size: int = 256,
    device: str | torch.device = "cpu",
    num_workers: int = 0,
) -> Tensor:
    """Extract features without labels, in the data set's order.

    The model and the random number generators are unchanged.

    Args:
        model: Maps inputs (N, ...) to features (N, F).
        dataset: Samples ``x`` or ``(x, ...)``, where x is an image (C, H, W) or another
            input, or V stacked views of it, (V, ...).
        input_dims: Number of dimensions of an input: 3 for images.
        batch_size: Number of samples in a forward pass.
        device: Device that the model is on.
        num_workers: Number of processes that load images.

    Returns:
        Features (N, F), of stacked views (N, V, F), on the device.
    """
    features = []
    with _reading(model, dataset, batch_size, num_workers) as batches:
        for batch in progress(batches, BAR):
            x = (batch if isinstance(batch, Tensor) else batch[0]).to(device)
            # Given stacked views, a method would return projections.
            inputs = x.flatten(end_dim=-1 - input_dims)
            rows = model(inputs).unflatten(0, x.shape[:-input_dims])
            features.append(whole_batch(batches, rows))
    return torch.cat(features)


def extract_stream(
    model: nn.Module, experiences: Iterable[Any], **kwargs: Any
) -> list[tuple[Tensor, Tensor]]:
    """Extract features and labels of each experience, under the eval transforms.

    Args:
        model: Maps inputs (N, ...) to features (N, F).
        experiences: Avalanche experiences.
        **kwargs: Arguments of :func:`extract_features`.
    """
    return [
        extract_features(model, experience.dataset.eval(), **kwargs)
        for experience in experiences
    ]


def labelled(batch: Any) -> tuple[Tensor, Tensor]:
    """Return images and labels of a batch.

    Raises:
        ValueError: If samples have no label or the label -1.
    """
    if isinstance(batch, Tensor) or len(batch) < 2 or (batch[1] < 0).any():
        raise ValueError(
            "a probe needs labels, and the data has samples without (or with label "
            "-1): give it labelled data as train_data and evaluate on labelled data"
        )
    return batch[0], batch[1]


@contextmanager
def _reading(
    model: nn.Module, dataset: Dataset[Any], batch_size: int, num_workers: int
) -> Iterator[Iterable[Any]]:
    """Batches of a data set; model and random generators are restored afterwards."""
    with preserve_random_state(), evaluation_mode(model):
        loader = DataLoader(
            dataset,
            batch_size,
            num_workers=num_workers,
            collate_fn=getattr(dataset, "collate_fn", None),
        )
        yield sharded(loader)
