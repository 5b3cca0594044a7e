"""The usual linear probe: SGD on cached features, several learning rates at once."""

import math
import warnings
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, linear
from torch.optim.lr_scheduler import MultiStepLR

from avalanche_pnr.benchmarks.reading.progress import progress
from avalanche_pnr.evaluation.float64 import in_float64
from avalanche_pnr.evaluation.probes.base import (
    FeatureProbe,
    LinearReadout,
    check_converged,
    standardisation,
    zero_head,
)

RATES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)


class LinearProbe(FeatureProbe):
    """Linear classifier of standardised features, trained by SGD from W = 0.

    One classifier for each learning rate is trained on nine tenths of the images, all
    at once. The rate of the one that is best on the held-out tenth (the first of
    several; never one that diverged) is then used to train the probe on all images.
    Test data plays no part. The tenth has at least one image of each class that has two
    or more; where no class has, the middle one of the rates is taken, with a warning.

    The readout's ``details`` are the rate, ``"Lr"``, and, where it was chosen, its
    accuracy on the tenth, ``"HeldOutAcc"``.

    Args:
        lrs: Learning rates to choose from; a single one is taken as it is.
        epochs: Number of passes over the features. Over more than ``full_passes``
            images there are fewer, so that the number of steps stays the same, but at
            least 10 (or ``epochs``, if that is less).
        milestones: Epochs after which the learning rate falls to a tenth; they move
            with the number of passes.
        full_passes: Number of images up to which all ``epochs`` are made.
        batch_size: Number of features in a batch.
        momentum: Momentum of SGD.
        seed: Seed of the images held out and of the order of the batches.
        name: Name in metrics and reports.

    Raises:
        ValueError: If there is no learning rate, one is not above 0, or epochs or
            batch_size are below 1.
    """

    def __init__(
        self,
        lrs: Sequence[float] = RATES,
        *,
        epochs: int = 100,
        milestones: Sequence[int] = (60, 80),
        full_passes: int = 2_000,
        batch_size: int = 256,
        momentum: float = 0.9,
        seed: int = 0,
        name: str = "linear",
    ) -> None:
        least = min(epochs, batch_size, full_passes)
        if not (lrs and min(lrs) > 0 and least >= 1):
            raise ValueError(
                "LinearProbe needs lrs > 0, and epochs, batch_size and full_passes >= "
                f"1, got lrs={list(lrs)}, epochs={epochs}, batch_size={batch_size}, "
                f"full_passes={full_passes}"
            )
        self.lrs = list(lrs)
        self.epochs = epochs
        self.milestones = list(milestones)
        self.full_passes = full_passes
        self.batch_size = batch_size
        self.momentum = momentum
        self.seed = seed
        self.name = name

    def __str__(self) -> str:
        rates = ", ".join(f"{lr:g}" for lr in self.lrs)
        chosen = " chosen on a tenth held out" if len(self.lrs) > 1 else ""
        fewer = f" (fewer over more than {self.full_passes} images)"
        limit = fewer if self.epochs > 10 else ""
        return (
            f"{self.name} (SGD on cached features, {self.epochs} epochs{limit}, "
            f"momentum {self.momentum:g}, learning rate {rates}{chosen})"
        )

    def passes(self, images: int) -> int:
        """Return the number of passes over that many images."""
        enough = math.ceil(self.epochs * self.full_passes / max(images, 1))
        return min(self.epochs, max(10, enough))

    def fit(self, features: Tensor, labels: Tensor) -> LinearReadout:
        """Fit to features (N, F) and labels (N,) in 0..C-1.

        Raises:
            FloatingPointError: If training diverges with every learning rate.
        """
        mean, scale = standardisation(features)
        x = (features - mean) * scale
        details = {"Lr": self.lrs[0]}
        if len(self.lrs) > 1:
            details = self._choose(x, labels)
        every = torch.arange(len(x), device=x.device)
        weight, bias = self._train(x, labels, every, [details["Lr"]])
        check_converged(self, weight, bias)
        return LinearReadout(mean, scale, weight[0], bias[0], details)

    def _choose(self, x: Tensor, labels: Tensor) -> dict[str, float]:
        """The learning rate that is best on images held out, and how good it is."""
        kept, held_out = (rows.to(x.device) for rows in self._hold_out(labels))
        if not len(held_out):
            lr = sorted(self.lrs)[len(self.lrs) // 2]
            warnings.warn(
                f"{self.name} takes the learning rate {lr:g}, as no class has two "
                "labelled training images to choose one by",
                stacklevel=3,
            )
            return {"Lr": lr}
        weight, bias = self._train(x, labels, kept, self.lrs)
        finite = weight.isfinite().all(dim=(1, 2)) & bias.isfinite().all(dim=1)
        if not finite.any():
            check_converged(self, weight, bias)
        scores = torch.einsum("nf,lcf->lnc", x[held_out], weight) + bias[:, None]
        hits = in_float64(scores.argmax(dim=2) == labels[held_out]).mean(dim=1)
        accuracies = torch.where(finite.to(hits.device), hits, -1)
        best = int(accuracies.argmax())
        return {"Lr": self.lrs[best], "HeldOutAcc": float(accuracies[best])}

    def _hold_out(self, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Indices of nine tenths of each class, and of the rest."""
        y = labels.cpu().numpy()
        _, classes, sizes = np.unique(y, return_inverse=True, return_counts=True)
        alone = np.flatnonzero(sizes[classes] < 2)
        others = np.flatnonzero(sizes[classes] >= 2)
        if not len(others):
            return torch.from_numpy(alone), torch.from_numpy(others)
        from sklearn.model_selection import train_test_split

        # A tenth of few images is less than one of each class, which is too few.
        several = int((sizes >= 2).sum())
        held_out = max(math.ceil(len(y) / 10), several)
        kept, rest = train_test_split(
            others,
            test_size=min(held_out, len(others) - several),
            stratify=y[others],
            random_state=self.seed,
        )
        return torch.from_numpy(np.append(kept, alone)), torch.from_numpy(rest)

    @torch.enable_grad()
    def _train(
        self, x: Tensor, labels: Tensor, kept: Tensor, lrs: list[float]
    ) -> tuple[Tensor, Tensor]:
        """Weights (L, C, F) and biases (L, C) of a classifier for each rate.

        They are trained on the rows of x (N, F) and labels (N,) that are kept.
        """
        classes = int(labels.max()) + 1
        heads = [zero_head(x, classes) for _ in lrs]
        groups = [
            {"params": head, "lr": lr} for head, lr in zip(heads, lrs, strict=True)
        ]
        optimizer = torch.optim.SGD(groups, momentum=self.momentum)
        passes = self.passes(len(x))
        milestones = [round(each * passes / self.epochs) for each in self.milestones]
        schedule = MultiStepLR(optimizer, milestones)
        generator = torch.Generator().manual_seed(self.seed)
        for _ in progress(range(passes), f"fitting {self.name}"):
            order = torch.randperm(len(kept), generator=generator).to(x.device)
            for rows in torch.split(kept[order], self.batch_size):
                weights, biases = (torch.cat(each) for each in zip(*heads, strict=True))
                scores = linear(x[rows], weights, biases)  # (N, L * C)
                scores = scores.reshape(len(rows) * len(lrs), classes)
                targets = labels[rows].repeat_interleave(len(lrs))
                # The mean is over N * L: each rate sees the mean over its N.
                loss = cross_entropy(scores, targets) * len(lrs)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            schedule.step()
        weight, bias = (torch.stack(each).detach() for each in zip(*heads, strict=True))
        return weight, bias
