"""The distillation predictor g of CaSSLe and PNR."""

from collections.abc import Callable

import torch
from lightly.models.modules.heads import ProjectionHead
from torch import Tensor, nn
from torch.nn import BatchNorm1d, ReLU

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.past import PastModelPlugin
from avalanche_pnr.plugins.past_source import Past

HEAD = "distillation_predictor"
"""Name of g among the heads of a method."""


class DistillationPlugin(PastModelPlugin):
    """Base class of plugins that compare predictions p = g(z) with past outputs f.

    Args:
        predictor_hidden_dim: Width of g's hidden layer; ``None`` for no network, p = z.
        past: Where the past model comes from: ``"experience"``, a snapshot at the end
            of each, or ``"ema"``, a moving average over steps, which needs no
            boundaries. See :class:`~avalanche_pnr.plugins.PastModelPlugin`.
        ema_decay: Decay of ``"ema"``, in [0, 1); ``None`` for 0.999.

    Raises:
        ValueError: If the width is below 1, ``past`` unknown, or the decay not in
            [0, 1).
    """

    def __init__(
        self,
        *,
        predictor_hidden_dim: int | None = 2048,
        past: Past = "experience",
        ema_decay: float | None = None,
    ) -> None:
        super().__init__(past=past, ema_decay=ema_decay)
        if predictor_hidden_dim is not None and predictor_hidden_dim < 1:
            raise ValueError(
                "predictor_hidden_dim must be 1 or more, or None for no predictor, got "
                f"{predictor_hidden_dim}"
            )
        self.predictor_hidden_dim = predictor_hidden_dim

    def heads(self, method: SelfSupervisedMethod) -> dict[str, Callable[[], nn.Module]]:
        """Name the distillation predictor g."""
        dim, hidden_dim = method.projection_dim, self.predictor_hidden_dim
        if hidden_dim is None:
            return {HEAD: nn.Identity}
        return {HEAD: lambda: two_layers(dim, hidden_dim)}


def predict_past(method: SelfSupervisedMethod, output: Tensor) -> Tensor:
    """Predict the past model's outputs of every view: p = g(z).

    Args:
        method: A method to which a :class:`DistillationPlugin` has added its head.
        output: Its output for stacked views, shape (N, V, E).

    Returns:
        Shape (N, V, D).

    Raises:
        RuntimeError: If the method does not have that head.
    """
    if HEAD not in method.heads:
        raise RuntimeError(
            f"{type(method).__name__} has no distillation predictor: call "
            "PNRPlugin().add_heads(method) before the optimizer is made"
        )
    predictor, z = method.heads[HEAD], method.projection(output)
    with method.precision.autocast(z.device.type):
        p = torch.stack([predictor(view) for view in z.unbind(1)], dim=1)
    return p if method.precision.dtype == "float32" else p.float()


def two_layers(dim: int, hidden_dim: int) -> nn.Module:
    """Make Linear(dim, hidden_dim), BatchNorm, ReLU, Linear(hidden_dim, dim)."""
    layers = [
        (dim, hidden_dim, BatchNorm1d(hidden_dim), ReLU()),
        (hidden_dim, dim, None, None),
    ]
    head: nn.Module = ProjectionHead(layers)
    return head
