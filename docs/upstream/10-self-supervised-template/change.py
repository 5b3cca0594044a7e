"""New: a template, its problem, and the strategy that finetunes.

``SelfSupervisedProblem`` goes into
``avalanche/training/templates/problem_type/self_supervised_problem.py``,
``SelfSupervisedTemplate`` into ``avalanche/training/templates/common_templates.py``,
``SelfNaive`` into ``avalanche/training/self_supervised/strategy_wrappers.py``.
"""

import sys
from typing import Any

import avalanche.training.templates
import torch
from avalanche.evaluation.metrics import loss_metrics
from avalanche.logging import InteractiveLogger
from avalanche.training.plugins import EvaluationPlugin
from avalanche.training.templates import SupervisedTemplate
from torch import Tensor


def default_self_supervised_evaluator() -> EvaluationPlugin:
    """The loss of each epoch, experience and stream: there are no classes to hit."""
    return EvaluationPlugin(
        loss_metrics(epoch=True, experience=True, stream=True),
        loggers=[InteractiveLogger()],
    )


class SelfSupervisedProblem:
    """Mini-batches of stacked views, labelled or not.

    A mini-batch is `[views, targets, ...]`, or the views alone, whose targets are -1
    then. `views` has the shape (N, V, ...): N samples with V views each.
    """

    mbatch: Any

    def _unpack_minibatch(self) -> None:
        mbatch = self.mbatch
        parts = [mbatch] if isinstance(mbatch, Tensor) else list(mbatch)
        if not isinstance(parts[0], Tensor) or parts[0].dim() < 3:
            raise ValueError(
                "a mini-batch must hold its views in one tensor (N, V, ...): let the "
                "dataset's transform return torch.stack(views)"
            )
        if len(parts) == 1:
            parts.append(torch.full((len(parts[0]),), -1))
        self.mbatch = parts
        super()._unpack_minibatch()  # type: ignore[misc]


class SelfSupervisedTemplate(SelfSupervisedProblem, SupervisedTemplate):
    """Base class for self-supervised continual learning strategies.

    The training loop, its callbacks and the evaluation loop are those of
    :class:`SupervisedTemplate`, with which it shares the plugins.

    The model maps views (N, V, ...) to one tensor (N, V, D). The criterion is a
    function of this output and of the targets, which it is free to ignore, and knows
    neither model nor mini-batch: plugins such as A-GEM, EWC and MIR compute it on
    mini-batches of their own. Give it an attribute `reduction`, "mean" or "none", for
    those that need one loss for each sample (MIR).

    Evaluation computes the same loss. To judge the features, see
    :func:`avalanche.evaluation.functional.linear_probe_accuracy`.
    """

    def __init__(
        self,
        *,
        model: torch.nn.Module,
        optimizer: Any,
        criterion: Any,
        evaluator: Any = default_self_supervised_evaluator,
        **kwargs: Any,
    ) -> None:
        """Init.

        :param model: PyTorch model.
        :param optimizer: PyTorch optimizer.
        :param criterion: self-supervised loss, `criterion(output, targets)`.
        :param evaluator: see :class:`SupervisedTemplate`; by default it logs the loss.
        :param kwargs: other arguments of :class:`SupervisedTemplate`.
        """
        super().__init__(
            model=model,
            optimizer=optimizer,
            criterion=criterion,
            evaluator=evaluator,
            **kwargs,
        )


class SelfNaive(SelfSupervisedTemplate):
    """Naive finetuning of a self-supervised model, without anything against forgetting.

    See :class:`SelfSupervisedTemplate` for the arguments. This strategy does not use
    task identities.
    """


__all__ = ["SelfNaive", "SelfSupervisedProblem", "SelfSupervisedTemplate"]

sys.modules["avalanche.training.self_supervised"] = sys.modules[__name__]
avalanche.training.templates.SelfSupervisedTemplate = SelfSupervisedTemplate
