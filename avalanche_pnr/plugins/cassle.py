"""CaSSLe: distil the past model through a predictor."""

from torch import Tensor

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.past import PastModelPlugin


class CaSSLePlugin(PastModelPlugin):
    """L_SSL + lambda_distill * D(g(z), f).

    D is the method's :meth:`~avalanche_pnr.SelfSupervisedMethod.agree`.

    Source: Fini et al. 2022, arXiv 2112.04215, equation 4.
    """

    def verbs(self, method: SelfSupervisedMethod) -> tuple[str, ...]:
        """``agree``."""
        return ("agree",)

    def regularizer(
        self, method: SelfSupervisedMethod, output: Tensor, past: Tensor
    ) -> Tensor:
        """lambda_distill * D(p, f)."""
        return method.lambda_distill * method.agree(method.predict_past(output), past)
