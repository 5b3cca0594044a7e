"""The loss of a continual method, for training loops other than Avalanche's."""

from collections.abc import Iterator
from typing import Any

import torch
from avalanche.training.regularization import RegularizationMethod
from torch import Tensor

from avalanche_pnr.distributed.collectives import world_size
from avalanche_pnr.methods import PastModel
from avalanche_pnr.plugins import MemoryPlugin, PastModelPlugin
from avalanche_pnr.training.problem import (
    MethodLoss,
    SelfSupervisedProblem,
    check_method,
)


class ContinualLoss(SelfSupervisedProblem, RegularizationMethod):
    """The loss that ``SelfSupervised`` minimises with a plugin, without the strategy.

    It is the SSL loss, or PNR's L1, plus the plugin's term. To the plugin this object
    is its strategy, with one process and one batch a step::

        continual_loss = ContinualLoss(PNRPlugin())
        continual_loss.pre_adapt(agent)  # in each experience, before its optimizer
        for step, views in enumerate(batches):
            optimizer.zero_grad()
            continual_loss(views).backward()
            optimizer.step()
            continual_loss.after_step(step, len(batches))
        continual_loss.post_adapt(agent)

    Args:
        plugin: Plugin that uses only the past model, for example ``PNRPlugin()``.

    Attributes:
        past_model: The network of the previous experience, or a moving average.
        loss_terms: Terms of the last loss by name, without gradient.

    Raises:
        TypeError: If the plugin needs more than the past model.
    """

    is_training = True
    distributed = None
    train_mb_size = None  # batches may be of any size

    def __init__(self, plugin: PastModelPlugin) -> None:
        if not isinstance(plugin, PastModelPlugin) or isinstance(plugin, MemoryPlugin):
            raise TypeError(
                f"{type(plugin).__name__} needs more than a batch and the past model, "
                "as PNRPlugin() does: train with avalanche_pnr.SelfSupervised"
            )
        super().__init__()
        self.plugin = plugin
        self.model: Any = None
        self.past_model = PastModel()
        self.sub_experience = 0
        self._criterion = MethodLoss()
        self._awaits_step = False

    def pre_adapt(self, agent: Any, exp: Any = None) -> None:
        """Begin an experience, before the optimizer is made or extended.

        Args:
            agent: Object whose ``model`` is trained: Avalanche's ``Agent``, a Lightning
                module, or any other.
            exp: The experience, which matters only on online streams.

        Raises:
            TypeError: If the model is not a ``SelfSupervisedMethod``, or lacks a loss.
            ValueError: If the stream hides where its experiences end, or the model
                asks for a pass over the experience.
            RuntimeError: On several processes.
        """
        self._turn_to(agent, exp)
        self.objective = None
        self.plugin.before_training(self)
        self.plugin.after_train_dataset_adaptation(self)
        self.plugin.before_training_exp(self)

    def __call__(self, views: Tensor) -> Tensor:
        """Compute the loss of a batch of views (N, 2, ...), a scalar.

        Raises:
            ValueError: If the views have another shape, or are too few or too many.
            RuntimeError: Before ``pre_adapt``, or if ``after_step`` is due.
        """
        if self.model is None:
            raise RuntimeError("call pre_adapt(agent) when an experience begins")
        if self._awaits_step:
            raise RuntimeError(
                "call after_step(step, total_steps) after each optimizer.step(), for "
                "queues and momentum networks; losses without a step are computed "
                "under torch.no_grad()"
            )
        self.mbatch, self.device = views, next(self.model.parameters()).device
        self._unpack_minibatch()
        self.plugin.before_forward(self)
        self.mb_output = self.forward()
        self.plugin.after_forward(self)
        self.loss = self.criterion().clone()  # terms are added to it in place
        self.plugin.before_backward(self)
        self._awaits_step = torch.is_grad_enabled()
        loss, self.loss = self.loss, self.loss.detach()
        self.mb_output = self.mb_output.detach()
        return loss

    def after_step(self, step: int, total_steps: int) -> None:
        """Update queues and momentum networks after an optimizer step.

        Args:
            step: Index of the step in this experience, from 0.
            total_steps: Number of steps in this experience.

        Raises:
            RuntimeError: If no loss was computed since the last call.
        """
        if not self._awaits_step:
            raise RuntimeError("after_step() follows the step of a batch, once")
        self.model.after_step(self.mb_output, step, total_steps)
        self.plugin.after_training_iteration(self)
        if self.past_model.decay is not None:
            self.past_model.average(self.model)
        self._awaits_step = False

    def post_adapt(self, agent: Any, exp: Any = None) -> None:
        """End an experience, where the past model may be taken. See ``pre_adapt``."""
        self._turn_to(agent, exp)
        self.plugin.after_training_exp(self)
        self.objective = None
        self.sub_experience = (self.sub_experience + 1) % self.sub_experiences

    def training_views(self, num_workers: int = 0) -> Iterator[Tensor]:
        """Raise an error when views are asked for: the loaders belong to the loop."""
        raise ValueError(
            f"{type(self.model).__name__} asks for a pass over the experience before "
            'its first batch: make MoCoV2Plus with past_queue_start="random", or '
            "train with avalanche_pnr.SelfSupervised"
        )
        yield  # makes it a generator, which raises when a method takes a view from it

    def _turn_to(self, agent: Any, exp: Any) -> None:
        check_method(agent.model)
        if world_size() > 1:
            raise RuntimeError("several processes train with SelfSupervised alone")
        self.model, self.experience = agent.model, exp
