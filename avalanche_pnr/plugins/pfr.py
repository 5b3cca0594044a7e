"""PFR: past features are to be predictable from present ones."""

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.methods.checks import check_weights
from avalanche_pnr.plugins.features import PastFeaturesPlugin


class PFRPlugin(PastFeaturesPlugin):
    """L_SSL - lambda_pfr * mean over images and views of cos(M(h), h_past).

    M, the temporal projection, becomes a part of ``strategy.model`` when the second
    experience begins, and carries over to later ones.

    Args:
        lambda_pfr: Weight.
        hidden_dim: Width of the hidden layer of M.

    Raises:
        ValueError: If the weight is negative or the width below 1.

    Source: Gomez-Villa et al. 2022, arXiv 2112.15022.
    """

    def __init__(self, *, lambda_pfr: float = 1.0, hidden_dim: int = 512) -> None:
        super().__init__()
        check_weights(lambda_pfr=lambda_pfr)
        if hidden_dim < 1:
            raise ValueError(f"hidden_dim must be 1 or more, got {hidden_dim}")
        self.lambda_pfr = lambda_pfr
        self.hidden_dim = hidden_dim

    def add_predictor(self, method: SelfSupervisedMethod) -> None:
        """Add M."""
        method.add_temporal_projection(self.hidden_dim)

    def feature_regularizer(
        self, method: SelfSupervisedMethod, features: Tensor, past: Tensor
    ) -> Tensor:
        """-lambda_pfr * mean cos(M(h), h_past)."""
        projection = method.temporal_projection
        assert projection is not None
        views = [projection(each) for each in features.unbind(1)]
        predicted = torch.stack(views, dim=1)
        return -self.lambda_pfr * cosine_similarity(predicted, past, dim=-1).mean()
