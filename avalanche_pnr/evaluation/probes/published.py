"""The published linear probe: augmented images through the network, each epoch."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from avalanche.training.determinism.rng_manager import RNGManager
from torch import Tensor
from torch.nn.functional import cross_entropy, linear
from torch.optim.lr_scheduler import MultiStepLR

from avalanche_pnr.benchmarks.reading.progress import progress
from avalanche_pnr.evaluation.probes.base import (
    LinearReadout,
    Probe,
    check_converged,
    zero_head,
)
from avalanche_pnr.evaluation.probes.data import ProbeData
from avalanche_pnr.reproducibility.random_state import preserve_random_state


class PublishedProbe(Probe):
    """Linear classifier trained by SGD on distorted images, from W = 0.

    Every epoch passes every image through the frozen network, which costs as many
    forward passes as there are epochs; :class:`~avalanche_pnr.LinearProbe` needs one.

    Args:
        transform: Random transform of a raw image to a tensor (C, H, W), drawn anew in
            each epoch; as published, a crop and a flip.
        lr: Learning rate, divided by 10 at each milestone.
        epochs: Number of passes over the images.
        milestones: Epochs after which the learning rate falls to a tenth.
        batch_size: Number of images in a batch.
        momentum: Momentum of SGD; 0 as published with PNR, CaSSLe has 0.9.
        seed: Seed of the distortions and of the order of the images.
        name: Name in metrics and reports.

    Raises:
        ValueError: If lr is not above 0, or epochs or batch_size below 1.

    Source: the recipes of Cha et al. 2024, arXiv 2306.05101, those of CaSSLe.
    """

    def __init__(
        self,
        transform: Callable[[Any], Tensor],
        lr: float,
        *,
        epochs: int = 100,
        milestones: Sequence[int] = (60, 80),
        batch_size: int = 256,
        momentum: float = 0.0,
        seed: int = 0,
        name: str = "published",
    ) -> None:
        if not (lr > 0 and epochs >= 1 and batch_size >= 1):
            raise ValueError(
                "PublishedProbe needs lr > 0, epochs >= 1 and batch_size >= 1, got "
                f"lr={lr}, epochs={epochs}, batch_size={batch_size}"
            )
        self.transform = transform
        self.lr = lr
        self.epochs = epochs
        self.milestones = list(milestones)
        self.batch_size = batch_size
        self.momentum = momentum
        self.seed = seed
        self.name = name

    def __str__(self) -> str:
        return (
            f"{self.name} (SGD on distorted images, {self.epochs} epochs, momentum "
            f"{self.momentum:g}, learning rate {self.lr:g})"
        )

    @torch.enable_grad()
    def fit_to(self, data: ProbeData) -> LinearReadout:
        """Fit to labelled images and the network they pass through.

        Raises:
            FloatingPointError: If training diverges.
        """
        weight, bias = zero_head(data.draw([0])[0], data.classes)
        optimizer = torch.optim.SGD([weight, bias], self.lr, self.momentum)
        schedule = MultiStepLR(optimizer, self.milestones)
        with preserve_random_state():
            RNGManager.set_random_seeds(self.seed)
            for _ in progress(range(self.epochs), f"fitting {self.name}"):
                for x, labels in data.distorted(self.transform, self.batch_size):
                    optimizer.zero_grad()
                    loss = cross_entropy(linear(x, weight, bias), labels)
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                schedule.step()
        check_converged(self, weight, bias)
        return LinearReadout.of_plain_features(weight.detach(), bias.detach())
