"""Stopping before a loss that is not finite destroys the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase

if TYPE_CHECKING:
    from avalanche_pnr.training.strategy import SelfSupervised


def running_statistics(model: nn.Module) -> list[Tensor]:
    """Find the statistics of normalisation layers, which a forward pass changes."""
    layers = [each for each in model.modules() if isinstance(each, _NormBase)]
    return [buffer for layer in layers for buffer in layer.buffers()]


def not_finite(strategy: SelfSupervised) -> FloatingPointError:
    """Undo the changes of a batch whose loss or gradient is NaN or infinite.

    Args:
        strategy: Strategy in training, after the backward pass.

    Returns:
        The error to raise, with experience, epoch, iteration and terms of the loss.
    """
    if strategy.loss.isfinite().all():
        return stop(strategy, f"the gradient is not finite {_where(strategy)}")
    return stop(strategy, f"the loss is {strategy.loss.item():g} {_where(strategy)}")


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
    for statistic, kept in strategy.kept_statistics:
        statistic.copy_(kept)
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
