"""Stopping before a loss that is not finite destroys the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

if TYPE_CHECKING:
    from avalanche_pnr.training.strategy import SelfSupervised


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

    def restore(self) -> None:
        """Put the copies back."""
        for buffer, kept in self._kept:
            buffer.copy_(kept)


def check_finite(strategy: SelfSupervised) -> None:
    """Refuse to learn from a loss or gradients that are NaN or infinite.

    One number is read back from the device. Gradients are checked before a step, unless
    they are scaled: then the scaler checks them.

    Args:
        strategy: Strategy in training, after the backward pass.

    Raises:
        FloatingPointError: If one is, with experience, epoch, iteration and terms of
            the loss; the model is as it was before the batch.
    """
    steps = strategy.accumulation.completes_step and not strategy.scaler.is_enabled()
    groups = strategy.optimizer.param_groups if steps else []
    params = [param for group in groups for param in group["params"]]
    gradients = [param.grad for param in params if param.grad is not None]
    norms = torch._foreach_norm(gradients) if gradients else ()
    if torch.stack([strategy.loss.detach().sum(), *norms]).isfinite().all():
        return
    if torch.isfinite(strategy.loss).all():
        raise stop(strategy, f"the gradient is not finite {_where(strategy)}")
    raise stop(strategy, f"the loss is {strategy.loss.item():g} {_where(strategy)}")


def check_scale(strategy: SelfSupervised) -> None:
    """Refuse to go on when no scale of the loss makes its gradients finite.

    Raises:
        FloatingPointError: If none does; the model is as it was before the batch.
    """
    if strategy.scaler.get_scale() < 1 / 256:
        raise stop(
            strategy,
            "gradients are not finite however small the loss is scaled: use "
            "precision bfloat16 or float32, lower the learning rate, or look for "
            "damaged images",
        )


def stop(strategy: SelfSupervised, why: str) -> FloatingPointError:
    """Undo the changes of the batch to model and scaler, and return the error."""
    strategy.running_statistics.restore()
    strategy.scaler.update(strategy.scaler.get_scale())  # forget the gradients
    return FloatingPointError(why)


def _where(strategy: SelfSupervised) -> str:
    clock = strategy.clock
    terms = dict(strategy.loss_terms)
    total = torch.stack([term.sum() for term in terms.values()]).sum()
    if torch.isfinite(total) and not torch.isfinite(strategy.loss).all():
        terms["other plugins"] = strategy.loss.detach() - total
    listed = " + ".join(f"{name} {term.item():g}" for name, term in terms.items())
    return (
        f"({listed}) in experience {strategy.experience.current_experience}, "
        f"epoch {clock.train_exp_epochs}, iteration {clock.train_epoch_iterations} "
        "(from 0): lower the learning rate, or look for damaged images; the model is "
        "as it was before this batch"
    )
