"""Less-Forget: a penalty on changes of features."""

from torch import Tensor

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.methods.checks import check_weights
from avalanche_pnr.plugins.features import PastFeaturesPlugin
from avalanche_pnr.plugins.past_source import Past


class LessForgetPlugin(PastFeaturesPlugin):
    """L_SSL + lambda_features / 2 * mean over images and views of |h - h_past|^2.

    Args:
        lambda_features: Weight of the penalty, a mean here, where the paper has a sum.
        past: Where the past model comes from: ``"experience"``, a snapshot at the end
            of each, or ``"ema"``, a moving average over steps, which needs no
            boundaries. See :class:`~avalanche_pnr.plugins.PastModelPlugin`.
        ema_decay: Decay of ``"ema"``, in [0, 1); ``None`` for 0.999.

    Raises:
        ValueError: If the weight is negative, ``past`` unknown, or the decay not in
            [0, 1).

    Source: Jung et al. 2016, arXiv 1607.00122; as a baseline of self-supervised
    learning, Fini et al. 2022, arXiv 2112.04215.
    """

    def __init__(
        self,
        *,
        lambda_features: float = 1.0,
        past: Past = "experience",
        ema_decay: float | None = None,
    ) -> None:
        super().__init__(past=past, ema_decay=ema_decay)
        check_weights(lambda_features=lambda_features)
        self.lambda_features = lambda_features

    def feature_regularizer(
        self, method: SelfSupervisedMethod, features: Tensor, past: Tensor
    ) -> Tensor:
        """Compute lambda_features / 2 * mean |h - h_past|^2."""
        distances = (features - past).square().sum(dim=-1)
        return self.lambda_features / 2 * distances.mean()
