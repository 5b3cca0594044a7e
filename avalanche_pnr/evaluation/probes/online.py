"""The published CIFAR protocol: a classifier trained beside the network."""

import copy
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
from avalanche_pnr.runs.state_checks import (
    check_count,
    check_keys,
    check_same_form,
    check_tensor,
    check_type,
)

Head = tuple[nn.Parameter, nn.Parameter]
"""Weight (C, F) and bias (C,)."""


class OnlineProbe(Probe):
    """Linear classifier that takes one SGD step with each step of the network.

    It sees future classes: the labelled images of *all* experiences, whatever the
    network trains on. Its gradients do not reach the network. The published runs pass
    these images through the network in train mode, where they change the running
    statistics of BatchNorm; here the network is in eval mode and nothing leaks.

    Args:
        lr: Learning rate.
        batch_size: Number of labelled images in a step.
        momentum: Momentum of SGD.
        seed: Seed of the images that are drawn.
        name: Name in metrics and reports.

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
        self._head: Head | None = None
        self._optimizer: Any = None
        self._saved: dict[str, Any] = {}

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
        self._go_on(data.device)
        head = self._head or self._begin(zero_head(x, data.classes))
        self._optimizer.zero_grad()
        loss = cross_entropy(linear(x, *head), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        self.steps += 1

    def _begin(self, head: Head) -> Head:
        self._head = head
        self._optimizer = torch.optim.SGD(head, self.lr, self.momentum)
        return head

    def state_dict(self) -> dict[str, Any]:
        """Return the steps taken, classifier and momentum."""
        if self._saved or self._head is None:
            return self._saved
        head = [each.detach() for each in self._head]
        optimizer = self._optimizer.state_dict()
        return {"steps": self.steps, "head": head, "optimizer": optimizer}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore them; they take effect in the next step.

        Raises:
            ValueError: If the state is not that of such a probe.
        """
        if state:
            _check(state, self.lr, self.momentum)
        self._saved = state
        self.steps = state.get("steps", 0)
        self._head = None

    def _go_on(self, device: str | torch.device) -> None:
        saved, self._saved = self._saved, {}
        if saved:
            weight, bias = (each.clone().to(device) for each in saved["head"])
            self._begin((nn.Parameter(weight), nn.Parameter(bias)))
            self._optimizer.load_state_dict(copy.deepcopy(saved["optimizer"]))

    def fit_to(self, data: ProbeData) -> LinearReadout:
        """Return the classifier as it stands.

        Raises:
            FloatingPointError: If it has diverged.
            ValueError: If the network has not been trained for a step yet.
        """
        self._go_on(data.device)
        if self._head is None:
            raise ValueError(
                f"{self} has seen no training step: evaluate after training, or judge "
                "untrained networks with another probe"
            )
        weight, bias = (each.detach().clone() for each in self._head)
        check_converged(self, weight, bias)
        return LinearReadout.of_plain_features(weight, bias)


def _check(state: Any, lr: float, momentum: float) -> None:
    """Refuse a state that is not that of a classifier trained by SGD."""
    check_keys(state, ("steps", "head", "optimizer"), "the online probe")
    check_count(state["steps"], "steps of the online probe")
    head, optimizer = state["head"], state["optimizer"]
    check_type(head, "the online probe's head", list)
    if len(head) != 2:
        raise ValueError(f"the online probe's head is {len(head)} tensors, not 2")
    check_tensor(head[0], "the online probe's weight", (None, None))
    check_tensor(head[1], "the online probe's bias", head[0].shape[:1])
    like = [torch.empty_like(each, requires_grad=True) for each in head]
    now = torch.optim.SGD(like, lr, momentum).state_dict()
    momenta = {row: {"momentum_buffer": each} for row, each in enumerate(head)}
    check_same_form(
        optimizer, {**now, "state": momenta}, "the online probe's optimizer"
    )
