"""The published linear probe's optimisation, on cached features."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear
from torch.optim.lr_scheduler import MultiStepLR

from avalanche_pnr.evaluation.probes import LinearReadout, Readout


class SGDProbe:
    """Linear classifier trained by SGD without weight decay, from W = 0.

    Args:
        lr: Learning rate, divided by 10 at each milestone.
        epochs: Passes over the features.
        milestones: Epochs after which the learning rate falls.
        batch_size: Features in a batch.
        momentum: Of SGD.
        seed: Of the order of the batches.
        name: What stands beside its numbers.

    Raises:
        ValueError: If lr is not above 0, or epochs or batch_size below 1.

    Source: the published recipes, arXiv 2306.05101.
    """

    def __init__(
        self,
        lr: float,
        *,
        epochs: int = 100,
        milestones: Sequence[int] = (60, 80),
        batch_size: int = 256,
        momentum: float = 0.0,
        seed: int = 0,
        name: str = "linear",
    ) -> None:
        if not (lr > 0 and epochs >= 1 and batch_size >= 1):
            raise ValueError(
                "SGDProbe needs lr > 0, epochs >= 1 and batch_size >= 1, got "
                f"lr={lr}, epochs={epochs}, batch_size={batch_size}"
            )
        self.lr = lr
        self.epochs = epochs
        self.milestones = milestones
        self.batch_size = batch_size
        self.momentum = momentum
        self.seed = seed
        self.name = name

    def __str__(self) -> str:
        return f"{self.name} (SGD, {self.epochs} epochs, learning rate {self.lr:g})"

    @torch.enable_grad()
    def fit(self, features: Tensor, labels: Tensor) -> Readout:
        """Fit to features (N, F) and labels (N,) in 0..C-1.

        Raises:
            FloatingPointError: If training diverges.
        """
        classes, dim = int(labels.max()) + 1, features.shape[1]
        weight = nn.Parameter(features.new_zeros(classes, dim))
        bias = nn.Parameter(features.new_zeros(classes))
        optimizer = torch.optim.SGD([weight, bias], self.lr, self.momentum)
        schedule = MultiStepLR(optimizer, list(self.milestones))
        generator = torch.Generator().manual_seed(self.seed)
        for _ in range(self.epochs):
            order = torch.randperm(len(features), generator=generator)
            for rows in torch.split(order.to(features.device), self.batch_size):
                optimizer.zero_grad()
                loss = cross_entropy(linear(features[rows], weight, bias), labels[rows])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            schedule.step()
        if not (weight.isfinite().all() and bias.isfinite().all()):
            raise FloatingPointError(
                f"{self} diverged on these features: lower its learning rate"
            )
        shift, scale = features.new_zeros(dim), features.new_ones(dim)
        return LinearReadout(shift, scale, weight.detach(), bias.detach())
