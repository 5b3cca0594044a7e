"""Less-Forget: a penalty on changes of features."""

from torch import Tensor

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.methods.checks import check_weights
from avalanche_pnr.plugins.features import PastFeaturesPlugin


class LessForgetPlugin(PastFeaturesPlugin):
    """L_SSL + lambda_features / 2 * mean over images and views of |h - h_past|^2.

    Args:
        lambda_features: Weight of the penalty, a mean here, where the paper has a sum.

    Raises:
        ValueError: If the weight is negative.

    Source: Jung et al. 2016, arXiv 1607.00122; as a baseline of self-supervised
    learning, Fini et al. 2022, arXiv 2112.04215.
    """

    def __init__(self, *, lambda_features: float = 1.0) -> None:
        super().__init__()
        check_weights(lambda_features=lambda_features)
        self.lambda_features = lambda_features

    def feature_regularizer(
        self, method: SelfSupervisedMethod, features: Tensor, past: Tensor
    ) -> Tensor:
        """Compute lambda_features / 2 * mean |h - h_past|^2."""
        distances = (features - past).square().sum(dim=-1)
        return self.lambda_features / 2 * distances.mean()
