"""Stopping before a loss that is not finite destroys the model."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase


class RunningStatistics:
    """Statistics of normalisation layers, which a forward pass changes.

    Kept before a batch, they undo its forward pass.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[Tensor, Tensor]] = []

    def keep(self, model: nn.Module) -> None:
        """Copy the statistics as they are before a batch."""
        layers = [each for each in model.modules() if isinstance(each, _NormBase)]
        buffers = [buffer for layer in layers for buffer in layer.buffers()]
        self._kept = [(buffer, buffer.clone()) for buffer in buffers]

    @contextmanager
    def restored_on_error(self) -> Iterator[None]:
        """Put the copies back if the block raises a ``FloatingPointError``."""
        try:
            yield
        except FloatingPointError:
            for buffer, kept in self._kept:
                buffer.copy_(kept)
            raise


def check_finite(strategy: Any, parameters: Iterable[Tensor]) -> None:
    """Refuse to learn from a loss or gradients that are NaN or infinite.

    One number is read back from the device.

    Args:
        strategy: A :class:`~avalanche_pnr.SelfSupervised` strategy in training.
        parameters: Whose gradients to look at.

    Raises:
        FloatingPointError: With experience, epoch, iteration and terms of the loss.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    norms = torch._foreach_norm(gradients) if gradients else ()
    if torch.stack([strategy.loss.detach().sum(), *norms]).isfinite().all():
        return
    if not torch.isfinite(strategy.loss).all():
        raise _stop(strategy, f"the loss is {strategy.loss.item():g}")
    raise _stop(strategy, "the gradient is not finite")


def _stop(strategy: Any, what: str) -> FloatingPointError:
    clock = strategy.clock
    terms = dict(strategy.loss_terms)
    total = torch.stack([term.sum() for term in terms.values()]).sum()
    if torch.isfinite(total) and not torch.isfinite(strategy.loss).all():
        terms["other plugins"] = strategy.loss.detach() - total
    listed = " + ".join(f"{name} {term.item():g}" for name, term in terms.items())
    return FloatingPointError(
        f"{what} ({listed}) in experience {strategy.experience.current_experience}, "
        f"epoch {clock.train_exp_epochs}, iteration {clock.train_epoch_iterations} "
        "(from 0): lower the learning rate, or look for damaged images; the model is "
        "as it was before this batch"
    )
