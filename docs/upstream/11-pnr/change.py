"""New: ``PseudoNegatives``, ``PNRPlugin`` and ``PNR``.

The method goes into ``avalanche/training/regularization.py``, the plugin into
``avalanche/training/plugins/pnr.py``, the strategy beside ``SelfNaive`` into
``avalanche/training/self_supervised/strategy_wrappers.py``. The equations are those of
this package, pure functions of tensors, and move to
``avalanche/training/contrastive/``.
"""

import copy
import sys
from typing import Any, List, Optional

import avalanche.training
import avalanche.training.plugins
import avalanche.training.regularization
import torch
from avalanche.core import SupervisedPlugin
from avalanche.training.regularization import RegularizationMethod
from avalanche.training.templates import SelfSupervisedTemplate
from avalanche.training.utils import _at_task_boundary
from torch import Tensor, nn
from torch.nn.functional import normalize

from avalanche_pnr.losses import simclr_distillation, simclr_loss


class PseudoNegatives(RegularizationMethod):
    """Regularization with pseudo-negatives (PNR) of a self-supervised model.

    "Regularizing with Pseudo-Negatives for Continual Self-Supervised Learning" by
    Cha et al., ICML 2024, https://arxiv.org/abs/2306.05101

    To be added to SimCLR's loss L_SSL of stacked views. With z the model's output, f
    that of the past model (the model as it was after the last experience), and
    p = g(z) a prediction of f, the total is L1 + L2 of the paper:

    * L1 is L_SSL with the f of the mini-batch as further negatives,
    * L2 contrasts p with f; negatives are the other f and, as pseudo-negatives, the
      other z.
    """

    def __init__(
        self, *, temperature: float = 0.2, predictor: Optional[nn.Module] = None
    ) -> None:
        """Init.

        :param temperature: temperature of L_SSL, which L1 and L2 share.
        :param predictor: g, whose parameters the caller optimizes; by default the
            identity.
        """
        self.temperature = temperature
        self.predictor = nn.Identity() if predictor is None else predictor
        self.past_model: Optional[nn.Module] = None

    def __call__(self, mb_x: Tensor, mb_output: Tensor, model: Any = None) -> Any:
        """Compute L1 - L_SSL + L2, or 0 in the first experience.

        :param mb_x: views (N, 2, ...).
        :param mb_output: their embeddings z, of shape (N, 2, D), not normalized.
        """
        if self.past_model is None:
            return 0
        with torch.no_grad():
            past = self.past_model(mb_x)
        predicted = self.predictor(mb_output)
        z, p, f = (normalize(each, dim=-1) for each in (mb_output, predicted, past))
        plasticity = simclr_loss(z, self.temperature, f)
        stability = simclr_distillation(p, f, self.temperature, z)
        return plasticity - simclr_loss(z, self.temperature) + stability

    def post_adapt(self, agent: Any, exp: Any) -> None:
        """Take the past model, if an experience has ended (not just a part of it)."""
        if _at_task_boundary(exp, before=False):
            self.past_model = copy.deepcopy(agent.model).eval().requires_grad_(False)


class PNRPlugin(SupervisedPlugin):
    """PNR plugin, to be used with SimCLR's loss.

    The predictor becomes a part of the model, so that it is trained and saved with it.
    """

    def __init__(
        self, *, temperature: float = 0.2, predictor: Optional[nn.Module] = None
    ) -> None:
        """Init.

        :param temperature: see :class:`PseudoNegatives`.
        :param predictor: see :class:`PseudoNegatives`.
        """
        super().__init__()
        self.pnr = PseudoNegatives(temperature=temperature, predictor=predictor)

    def before_training(self, strategy: Any, **kwargs: Any) -> None:
        """Let the strategy's optimizer train the predictor."""
        strategy.model.add_module("pnr_predictor", self.pnr.predictor)

    def before_backward(self, strategy: Any, **kwargs: Any) -> None:
        """Add the regularization."""
        strategy.loss += self.pnr(strategy.mb_x, strategy.mb_output, strategy.model)

    def after_training_exp(self, strategy: Any, **kwargs: Any) -> None:
        """Take the past model."""
        self.pnr.post_adapt(strategy, strategy.experience)


class PNR(SelfSupervisedTemplate):
    """PNR strategy, for SimCLR's loss.

    See :class:`PNRPlugin` for details. This strategy does not use task identities.
    """

    def __init__(
        self,
        *,
        model: nn.Module,
        optimizer: Any,
        criterion: Any,
        temperature: float = 0.2,
        predictor: Optional[nn.Module] = None,
        plugins: Optional[List[SupervisedPlugin]] = None,
        **base_kwargs: Any,
    ) -> None:
        """Init.

        :param model: PyTorch model.
        :param optimizer: PyTorch optimizer.
        :param criterion: SimCLR's loss, `criterion(output, targets)`.
        :param temperature: see :class:`PNRPlugin`.
        :param predictor: see :class:`PNRPlugin`.
        :param plugins: further plugins.
        :param base_kwargs: other arguments of :class:`SelfSupervisedTemplate`.
        """
        pnr = PNRPlugin(temperature=temperature, predictor=predictor)
        super().__init__(
            model=model,
            optimizer=optimizer,
            criterion=criterion,
            plugins=[pnr, *(plugins or [])],
            **base_kwargs,
        )


avalanche.training.regularization.PseudoNegatives = PseudoNegatives
avalanche.training.PseudoNegatives = PseudoNegatives
avalanche.training.plugins.PNRPlugin = PNRPlugin
sys.modules["avalanche.training.self_supervised"].PNR = PNR  # type: ignore[attr-defined]
