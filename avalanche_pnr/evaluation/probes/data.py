"""Labelled images and the frozen network that probes see them through."""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

import torch
from avalanche.benchmarks.utils import AvalancheDataset, concat_datasets
from torch import Tensor, nn
from torch.utils.data import DataLoader

from avalanche_pnr.benchmarks.streams.adapting import adapted
from avalanche_pnr.benchmarks.streams.raw_images import raw_images
from avalanche_pnr.evaluation.features import (
    evaluation_mode,
    extract_features,
    labelled,
)
from avalanche_pnr.reproducibility.random_state import preserve_random_state
from avalanche_pnr.reproducibility.sampling import SeededLoader


class ProbeData:
    """Labelled training images of all classes, behind a frozen network.

    Args:
        model: Maps inputs (N, ...) to features (N, F).
        experiences: Avalanche experiences that hold the images.
        batch_size: Number of images in a forward pass.
        device: Device that the network is on.
        num_workers: Number of processes that load images.

    Raises:
        ValueError: If there is no experience.
    """

    def __init__(
        self,
        model: nn.Module,
        experiences: Iterable[Any],
        *,
        batch_size: int = 256,
        device: str | torch.device = "cpu",
        num_workers: int = 0,
    ) -> None:
        self.model = model
        self.dataset = concat_datasets(
            [each.dataset.eval() for each in check_experiences(experiences)]
        )
        self.batch_size = batch_size
        self.device = device
        self.num_workers = num_workers

    @property
    def classes(self) -> int:
        """Number of classes, C."""
        return count_classes([self.dataset])

    @cached_property
    def features(self) -> tuple[Tensor, Tensor]:
        """Return features (N, F) and labels (N,) under the eval transforms.

        Raises:
            ValueError: If a feature is not finite, or an image has no label.
        """
        features, labels = extract_features(
            self.model,
            self.dataset,
            batch_size=self.batch_size,
            device=self.device,
            num_workers=self.num_workers,
        )
        return _finite(features), labels

    @torch.no_grad()
    def distorted(
        self, transform: Callable[[Any], Tensor], batch_size: int
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Pass all images through the network once, distorted and in random order.

        Draws from the global random number generators.

        Args:
            transform: Transform of a raw image, as the data set has it before its own
                transforms, to a tensor (C, H, W).
            batch_size: Number of images in a batch.

        Yields:
            Features (N, F) and labels (N,) of each batch.
        """
        raw = raw_images(self.dataset, "eval")
        with preserve_random_state():
            transform = adapted(transform, raw[0][0])
        groups = dict.fromkeys(("train", "eval"), (transform, None))
        dataset = AvalancheDataset([raw], transform_groups=groups)
        loader = DataLoader(
            dataset,
            batch_size,
            shuffle=True,
            num_workers=self.num_workers,
            collate_fn=dataset.collate_fn,
        )
        seeded = SeededLoader(loader, int(torch.randint(2**62, ())))
        with evaluation_mode(self.model):
            for batch in seeded:
                images, labels = labelled(batch)
                features = self.model(images.to(self.device))
                yield _finite(features), labels.to(self.device)

    @torch.no_grad()
    def draw(self, indices: Iterable[int]) -> tuple[Tensor, Tensor]:
        """Draw features (N, F) and labels (N,) of images, under eval transforms."""
        with preserve_random_state():
            batch = self.dataset.collate_fn([self.dataset[index] for index in indices])
        images, labels = labelled(batch)
        with evaluation_mode(self.model):
            return _finite(self.model(images.to(self.device))), labels.to(self.device)


def _finite(features: Tensor) -> Tensor:
    if not features.isfinite().all():
        raise ValueError(
            "features are not finite: the network has diverged, train it with a lower "
            "learning rate"
        )
    return features


def check_experiences(experiences: Iterable[Any], of: str = "train_data") -> list[Any]:
    """Return the experiences as a list.

    Raises:
        ValueError: If there is none.
    """
    listed = list(experiences)
    if not listed:
        raise ValueError(f"{of} holds no experience: probes need labelled data")
    return listed


def count_classes(datasets: Iterable[Any]) -> int:
    """Count the classes of several data sets together, numbered from 0.

    Raises:
        ValueError: If one has no list of its labels.
    """
    highest = -1
    for dataset in datasets:
        if not hasattr(dataset, "targets"):
            raise ValueError(
                "a probe needs labels, and a data set of train_data has no targets: "
                "make it with Avalanche's as_classification_dataset"
            )
        highest = max([highest, *dataset.targets.uniques])
    return int(highest) + 1
