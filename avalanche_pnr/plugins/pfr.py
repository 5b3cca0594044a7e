"""PFR: prediction of past features from current ones."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.methods.checks import check_weights
from avalanche_pnr.plugins.distillation import two_layers
from avalanche_pnr.plugins.features import PastFeaturesPlugin
from avalanche_pnr.plugins.past_source import Past

HEAD = "feature_predictor"
"""Name of M among the heads of a method."""


class PFRPlugin(PastFeaturesPlugin):
    """L_SSL - lambda_pfr * mean over images and views of cos(M(h), h_past).

    M, the temporal projection, becomes a head of ``strategy.model`` when the second
    experience begins, and carries over to later ones.

    Args:
        lambda_pfr: Weight of the mean cosine.
        hidden_dim: Width of the hidden layer of M.
        past: Where the past model comes from: ``"experience"``, a snapshot at the end
            of each, or ``"ema"``, a moving average over steps, which needs no
            boundaries. See :class:`~avalanche_pnr.plugins.PastModelPlugin`.
        ema_decay: Decay of ``"ema"``, in [0, 1); ``None`` for 0.999.

    Raises:
        ValueError: If the weight is negative, the width below 1, ``past`` unknown, or
            the decay not in [0, 1).

    Source: Gomez-Villa et al. 2022, arXiv 2112.15022.
    """

    def __init__(
        self,
        *,
        lambda_pfr: float = 1.0,
        hidden_dim: int = 512,
        past: Past = "experience",
        ema_decay: float | None = None,
    ) -> None:
        super().__init__(past=past, ema_decay=ema_decay)
        check_weights(lambda_pfr=lambda_pfr)
        if hidden_dim < 1:
            raise ValueError(f"hidden_dim must be 1 or more, got {hidden_dim}")
        self.lambda_pfr = lambda_pfr
        self.hidden_dim = hidden_dim

    def heads(self, method: SelfSupervisedMethod) -> dict[str, Callable[[], nn.Module]]:
        """Name the temporal projection M.

        Raises:
            ValueError: If the projector, which tells the size, has no parameters.
        """
        first = next(method.projector.parameters(), None)
        if first is None:
            raise ValueError(
                f"the projector of {type(method).__name__} has no parameters that tell "
                "the size of its features: give it a linear layer"
            )
        return {HEAD: lambda: two_layers(first.shape[-1], self.hidden_dim)}

    def feature_regularizer(
        self, method: SelfSupervisedMethod, features: Tensor, past: Tensor
    ) -> Tensor:
        """Compute -lambda_pfr * mean cos(M(h), h_past)."""
        predictor = method.heads[HEAD]
        views = [predictor(each) for each in features.unbind(1)]
        predicted = torch.stack(views, dim=1)
        return -self.lambda_pfr * cosine_similarity(predicted, past, dim=-1).mean()
