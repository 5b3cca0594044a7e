"""The past model: the network as it stood when the previous experience ended."""

import copy
from collections.abc import Callable
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
        gather: On several processes, gathers the outputs for the whole batch from those
            for each process's shard; ``None`` on one.

    Example:
        >>> past_model = PastModel()
        >>> past_model.snapshot(method)  # at the end of an experience
        >>> f = past_model(views)  # in the next one
    """

    def __init__(self) -> None:
        self.network: nn.Sequential | None = None
        self.gather: Callable[[Tensor], Tensor] | None = None
        self._precision = Precision()
        self._last: _Batch | None = None

    @property
    def exists(self) -> bool:
        """True once an experience has ended, so that there is a past model."""
        return self.network is not None

    def snapshot(self, method: SelfSupervisedMethod) -> None:
        """Replace the past model by the method's current backbone and projector."""
        network = copy.deepcopy(nn.Sequential(method.backbone, method.projector))
        self.network = network.eval().requires_grad_(False)
        self._precision = method.precision
        self._precision.prepare(self.network)
        self.forget_batch()

    def __call__(self, views: Tensor) -> Tensor:
        """Project every view of a batch, without gradient.

        Args:
            views: Views of the batch, shape (N, V, C, H, W).

        Returns:
            Past outputs f, not normalised, shape (N, V, D).

        Raises:
            RuntimeError: If no experience has ended yet.
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


class _Batch(NamedTuple):
    views: Tensor
    version: int
    output: Tensor
