"""The published CIFAR protocol: a classifier trained beside the network."""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, linear

from avalanche_pnr.evaluation.probes.base import (
    LinearReadout,
    Probe,
    check_converged,
    zero_head,
)
from avalanche_pnr.evaluation.probes.data import ProbeData


class OnlineProbe(Probe):
    """Linear classifier that takes one SGD step with each step of the network.

    It sees future classes: the labelled images of *all* experiences, whatever the
    network trains on. Its gradients do not reach the network. The published runs pass
    these images through the network in train mode, where they change the running
    statistics of BatchNorm; here the network is in eval mode and nothing leaks.

    Args:
        lr: Learning rate.
        batch_size: Labelled images in a step.
        momentum: Of SGD.
        seed: Of the images that are drawn.
        name: What stands beside its numbers.

    Raises:
        ValueError: If lr is not above 0 or batch_size below 1.

    Source: the CIFAR-100 protocol of Fini et al. 2022, arXiv 2112.04215, and its code.
    """

    judges_untrained = False

    def __init__(
        self,
        lr: float = 0.1,
        *,
        batch_size: int = 256,
        momentum: float = 0.9,
        seed: int = 0,
        name: str = "online",
    ) -> None:
        if not (lr > 0 and batch_size >= 1):
            raise ValueError(
                "OnlineProbe needs lr > 0 and batch_size >= 1, got "
                f"lr={lr}, batch_size={batch_size}"
            )
        self.lr = lr
        self.batch_size = batch_size
        self.momentum = momentum
        self.seed = seed
        self.name = name
        self.steps = 0
        self._head: tuple[nn.Parameter, nn.Parameter] | None = None
        self._optimizer: Any = None

    def __str__(self) -> str:
        return (
            f"{self.name} (trained beside the network, sees future classes, learning "
            f"rate {self.lr:g})"
        )

    @torch.enable_grad()
    def step(self, data: ProbeData) -> None:
        """Take one step on labelled images drawn from those of all classes."""
        rng = np.random.default_rng([self.seed, self.steps])
        size = min(self.batch_size, len(data.dataset))
        rows = rng.choice(len(data.dataset), size, replace=False)
        x, labels = data.draw(rows.tolist())
        if self._head is None:
            self._head = zero_head(x, data.classes)
            self._optimizer = torch.optim.SGD(self._head, self.lr, self.momentum)
        self._optimizer.zero_grad()
        loss = cross_entropy(linear(x, *self._head), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self.steps += 1

    def fit_to(self, data: ProbeData) -> LinearReadout:
        """The classifier as it stands.

        Raises:
            FloatingPointError: If it has diverged.
            ValueError: If the network has not been trained a step yet.
        """
        if self._head is None:
            raise ValueError(
                f"{self} has seen no training step: evaluate after training, or judge "
                "untrained networks with another probe"
            )
        weight, bias = (each.detach().clone() for each in self._head)
        check_converged(self, weight, bias)
        return LinearReadout.of_plain_features(weight, bias)
