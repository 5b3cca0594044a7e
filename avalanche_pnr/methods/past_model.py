"""The past model: the network of the previous experience, or an average over steps."""

import copy
from collections.abc import Callable, Iterator
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor, nn

from avalanche_pnr.methods.base import SelfSupervisedMethod
from avalanche_pnr.methods.precision import Precision


class PastModel:
    """Frozen copy of a method's backbone and projector, in eval mode.

    Empty until the first :meth:`snapshot`. The outputs of the last batch are kept,
    so several plugins cost one forward pass a batch.

    Attributes:
        network: Backbone and projector; ``None`` before the first :meth:`snapshot`.
        decay: Decay of the moving average that the training loop lets it follow by
            :meth:`average` after each optimizer step; ``None`` where it stays as it is
            until the next :meth:`snapshot`.
        gather: On several processes, gathers the outputs for the whole batch from those
            for each process's shard; ``None`` on one.

    Example:
        >>> past_model = PastModel()
        >>> past_model.snapshot(method)  # at the end of an experience
        >>> f = past_model(views)  # in the next one
    """

    def __init__(self) -> None:
        self.network: nn.Sequential | None = None
        self.decay: float | None = None
        self.gather: Callable[[Tensor], Tensor] | None = None
        self._precision = Precision()
        self._last: _Batch | None = None

    @property
    def exists(self) -> bool:
        """True from the first snapshot on."""
        return self.network is not None

    def snapshot(self, method: SelfSupervisedMethod) -> None:
        """Replace the past model by the method's current backbone and projector."""
        network = copy.deepcopy(nn.Sequential(method.backbone, method.projector))
        self.network = network.eval().requires_grad_(False)
        self._precision = method.precision
        self._precision.prepare(self.network)
        self.forget_batch()

    @torch.no_grad()
    def average(self, method: SelfSupervisedMethod) -> None:
        """Move towards the method: w_past <- decay w_past + (1 - decay) w.

        The running statistics of BatchNorm are averaged with the parameters; buffers of
        whole numbers, such as its counts of batches, are copied.

        Args:
            method: Method whose networks the past model is a copy of.

        Raises:
            RuntimeError: If there is no past model yet, or it has no ``decay``.
        """
        if self.network is None or self.decay is None:
            raise RuntimeError(
                "there is no past model to average: call snapshot(), and set decay"
            )
        present = chain(_tensors(method.backbone), _tensors(method.projector))
        past = chain.from_iterable(map(_tensors, self.network))
        for average, now in zip(past, present, strict=True):
            if average.is_floating_point():
                average.lerp_(now, 1 - self.decay)
            else:
                average.copy_(now)
        self.forget_batch()

    def __call__(self, views: Tensor, keep: bool = True) -> Tensor:
        """Project every view of a batch, without gradient.

        Args:
            views: Views of the batch, shape (N, V, ...).
            keep: Whether the outputs are kept for others that ask for them; ``False``
                for views besides the batch, which are not to take its place.

        Returns:
            Past outputs f, not normalised, shape (N, V, D).

        Raises:
            RuntimeError: If there is no past model yet.
        """
        last, version = self._last, views._version  # buffers are reused, written to
        if last is not None and last.views is views and last.version == version:
            return last.output
        if self.network is None:
            raise RuntimeError(
                "there is no past model in the first experience: call snapshot() "
                "when an experience ends, and check `exists` before"
            )
        with torch.no_grad(), self._precision.autocast(views.device.type):
            rows: Tensor = self.network(views.flatten(0, 1))  # (N * V, D)
        f = rows if self._precision.dtype == "float32" else rows.float()
        f = f.reshape(*views.shape[:2], -1)
        if self.gather is not None:
            f = self.gather(f)
        if keep:
            self._last = _Batch(views, version, f)
        return f

    def state_dict(self) -> dict[str, Tensor]:
        """Return the tensors of the past model; empty if there is none."""
        return {} if self.network is None else self.network.state_dict()

    def load_state_dict(
        self, state: dict[str, Tensor], method: SelfSupervisedMethod
    ) -> None:
        """Restore the past model of a state.

        Args:
            state: State returned by :meth:`state_dict`.
            method: Method with networks of the same kind.
        """
        self.network = None
        if state:
            self.snapshot(method)
            assert self.network is not None
            self.network.load_state_dict(state)
        self.forget_batch()

    def forget_batch(self) -> None:
        """Release the batch whose outputs are kept."""
        self._last = None


def _tensors(network: nn.Module) -> Iterator[Tensor]:
    """Parameters and buffers, each once, in an order that copies share."""
    return chain(network.parameters(), network.buffers())


class _Batch(NamedTuple):
    views: Tensor
    version: int
    output: Tensor
