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

    Args:
        gather: Function from the outputs for this process's shard to those for the
            whole batch; by default the identity.

    Example:
        >>> past_model = PastModel()
        >>> past_model.snapshot(method)  # at the end of an experience
        >>> f = past_model(views)  # in the next one
    """

    def __init__(self, gather: Callable[[Tensor], Tensor] | None = None) -> None:
        self._gather = gather
        self._network: nn.Module | None = None
        self._precision = Precision()
        self._last: _Batch | None = None

    @property
    def exists(self) -> bool:
        """True once an experience has ended, so that there is a past model."""
        return self._network is not None

    def snapshot(self, method: SelfSupervisedMethod) -> None:
        """Replace the past model by the method's current backbone and projector."""
        network = copy.deepcopy(nn.Sequential(method.backbone, method.projector))
        self._network = network.eval().requires_grad_(False)
        self._precision = method.precision
        self._precision.prepare(self._network)
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
        version = views._version  # buffers are reused, and written to
        last = self._last
        if last is None or last.views is not views or last.version != version:
            output = self._run(self._past(), views)
            output = output if self._gather is None else self._gather(output)
            last = self._last = _Batch(views, version, output)
        return last.output

    def features(self, views: Tensor) -> Tensor:
        """Features of the past backbone, without gradient.

        Args:
            views: Views of the batch, shape (N, V, C, H, W).

        Returns:
            Shape (N, V, F).

        Raises:
            RuntimeError: If no experience has ended yet.
        """
        return self._run(next(self._past().children()), views)

    def state_dict(self) -> dict[str, Tensor]:
        """Tensors of the past model; empty if there is none."""
        return {} if self._network is None else self._network.state_dict()

    def load_state_dict(
        self, state: dict[str, Tensor], method: SelfSupervisedMethod
    ) -> None:
        """Restore the past model of a state.

        Args:
            state: State returned by :meth:`state_dict`.
            method: Method with networks of the same kind.
        """
        self._network = None
        if state:
            self.snapshot(method)
            assert self._network is not None
            self._network.load_state_dict(state)
        self.forget_batch()

    def forget_batch(self) -> None:
        """Release the batch whose outputs are kept."""
        self._last = None

    def _past(self) -> nn.Module:
        if self._network is None:
            raise RuntimeError(
                "there is no past model in the first experience: call snapshot() "
                "when an experience ends, and check `exists` before"
            )
        return self._network

    @torch.no_grad()
    def _run(self, network: nn.Module, views: Tensor) -> Tensor:
        rows = self._precision.run(network, views.flatten(0, 1))
        return rows.reshape(*views.shape[:2], -1)


class _Batch(NamedTuple):
    views: Tensor
    version: int
    output: Tensor
