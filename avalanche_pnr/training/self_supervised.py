"""The strategy: Avalanche's training loop for self-supervised methods."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from avalanche.core import BasePlugin, SupervisedPlugin
from avalanche.training.plugins import EvaluationPlugin
from avalanche.training.templates.base_sgd import BaseSGDTemplate
from avalanche.training.templates.observation_type import BatchObservation
from torch import Tensor
from torch.optim import Optimizer

from avalanche_pnr.composition import Companions
from avalanche_pnr.distributed import naming_lost_processes
from avalanche_pnr.methods import PastModel, SelfSupervisedMethod
from avalanche_pnr.precision import Precision
from avalanche_pnr.random_state import preserve_random_state
from avalanche_pnr.training.accumulation import AccumulatedUpdate, Accumulation
from avalanche_pnr.training.data_parallel import (
    DataParallelTraining,
    Replica,
    check_plugins,
    check_world,
    synchronise_batchnorm,
)
from avalanche_pnr.training.evaluator import default_evaluator
from avalanche_pnr.training.finite import (
    RunningStatistics,
    check_finite,
)
from avalanche_pnr.training.loaders import TrainingLoaders
from avalanche_pnr.training.optimized import OptimizedMethod
from avalanche_pnr.training.problem import (
    MethodLoss,
    SelfSupervisedProblem,
    check_method,
)
from avalanche_pnr.training.resumable import ResumableTraining
from avalanche_pnr.upstream import UpstreamCures


class SelfSupervised(
    Companions,
    ResumableTraining,
    DataParallelTraining,
    UpstreamCures,
    TrainingLoaders,
    OptimizedMethod,
    BatchObservation,
    SelfSupervisedProblem,
    AccumulatedUpdate,
    BaseSGDTemplate,
):
    """Train a self-supervised method on a stream of experiences.

    Without plugins this is finetuning. :class:`~avalanche_pnr.PNRPlugin` or
    :class:`~avalanche_pnr.CaSSLePlugin` make it a continual method;
    :class:`~avalanche_pnr.ProbePlugin` judges it. Avalanche's own plugins compose;
    those that cannot work are refused, see ``docs/composition.md``.

    The optimizer's state restarts in each experience and incomplete batches are
    dropped, as published: ``train(experience, reset_optimizer_state=False,
    drop_last=False)`` changes that. Parameters that plugins add to the model join
    the optimizer's first group. Evaluation leaves the random number generators
    untouched. Batches are the same whatever the number of workers that load them, and
    :meth:`state_dict` is all that training needs to be continued to the last bit.

    Args:
        model: The method, for example :class:`~avalanche_pnr.MoCoV2Plus`.
        optimizer: Optimizer of ``model.parameters()``.
        train_mb_size: Images in a training batch, 2 or more, of all processes together.
        train_epochs: Passes over each experience, 1 or more.
        eval_mb_size: Images in an evaluation batch; ``None`` for ``train_mb_size``.
        device: Where the model is trained.
        precision: Number formats, memory layout and compilation of the networks;
            ``None`` for the model's own, float32 unless it was told otherwise.
        accumulate: Batches of an optimizer step. Compared with one batch as large,
            images are contrasted and normalised within their own batch alone.
        sync_batchnorm: Whether BatchNorm normalises over the whole batch, and not over
            each process's part of it; on GPUs.
        plugins: Any of Avalanche's or this package's plugins, in any order.
        evaluator: Metrics and loggers, or what makes them; ``None`` for none.
        eval_every: Evaluate every so many epochs (or iterations) of training; 0 at
            the end of each experience only; -1 never.
        peval_mode: ``"epoch"`` or ``"iteration"``, the unit of ``eval_every``.

    Raises:
        TypeError: If the model is not a ``SelfSupervisedMethod``, or a plugin is a
            class or made for classifiers.
        ValueError: If the method cannot learn from batches of this size, nothing would
            be trained, or a plugin cannot work with the others or the method.
    """

    PLUGIN_CLASS = SupervisedPlugin

    def __init__(
        self,
        *,
        model: SelfSupervisedMethod,
        optimizer: Optimizer,
        train_mb_size: int = 256,
        train_epochs: int = 1,
        eval_mb_size: int | None = None,
        device: str | torch.device = "cpu",
        precision: Precision | None = None,
        accumulate: int = 1,
        sync_batchnorm: bool = False,
        plugins: Sequence[BasePlugin] | None = None,
        evaluator: (
            EvaluationPlugin | Callable[[], EvaluationPlugin] | None
        ) = default_evaluator,
        eval_every: int = -1,
        peval_mode: str = "epoch",
    ) -> None:
        check_method(model)
        if train_epochs < 1:
            raise ValueError(f"train_epochs must be 1 or more, got {train_epochs}")
        self.accumulation = Accumulation(accumulate)
        for images in (train_mb_size, train_mb_size * accumulate):
            model.check_batch_size(images)
        check_world(train_mb_size, eval_mb_size)
        if sync_batchnorm:
            synchronise_batchnorm(model, torch.device(device))
        if precision is not None:
            model.compute_in(precision)
        super().__init__(
            model=model,
            optimizer=optimizer,
            criterion=MethodLoss(),
            train_mb_size=train_mb_size,
            train_epochs=train_epochs,
            eval_mb_size=eval_mb_size,
            device=device,
            plugins=plugins,
            evaluator=evaluator,
            eval_every=eval_every,
            peval_mode=peval_mode,
        )
        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=model.precision.scales_losses
        )
        """Of the loss in float16."""

        check_plugins(self.plugins)
        self.replica = Replica()
        """The online network of this process, and the rows of the others."""

        self.past_model = PastModel(self.replica.gather)
        """The network of the previous experience, shared by plugins."""

        self.pseudo_negatives: Tensor | None = None
        """Past outputs of the current batch, (N, V, D), while PNR trains on it."""

        self.loss_terms: dict[str, Tensor] = {}
        """Terms of the current loss by name: ``"loss"``, and that of each plugin."""

        self.mb_features: Tensor | None = None
        """Features (N, F) of the current batch in evaluation."""

        self.readout: Callable[[Tensor], Tensor] | None = None
        """Class scores (N, C) of features (N, F), set by probes."""

        self.part = 0
        """Index of the present part, on online streams that cut an experience up."""

        self._statistics = RunningStatistics()
        self.compose()

    def train(
        self,
        experiences: Any,
        eval_streams: Any = None,
        *,
        drop_last: bool = True,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """Train on an experience, or on several in turn.

        Args:
            experiences: An experience or several.
            eval_streams: Streams of periodic evaluation; by default ``experiences``.
            drop_last: Whether loaders, those of replay plugins included, drop
                incomplete batches.
            **kwargs: Arguments of the data loader and of the hooks. The processes of
                ``num_workers`` stay over all epochs of an experience, unless
                ``persistent_workers=False``.

        Returns:
            The last value of every metric.
        """
        if kwargs.get("num_workers", 0) > 0:
            kwargs.setdefault("persistent_workers", True)
        with naming_lost_processes():
            metrics: dict[str, Any] = super().train(
                experiences, eval_streams, drop_last=drop_last, **kwargs
            )
        return metrics

    def eval(self, exp_list: Any, **kwargs: Any) -> dict[str, Any]:
        """Judge the features on a stream or an experience.

        Args:
            exp_list: An experience or several.
            **kwargs: Arguments of the data loader.

        Returns:
            The last value of every metric.
        """
        self.model.to(self.device)
        self.average_statistics()
        with preserve_random_state(), naming_lost_processes():
            metrics: dict[str, Any] = super().eval(exp_list, **kwargs)
        return metrics

    def _before_training_iteration(self, **kwargs: Any) -> None:
        self._statistics.keep(self.model)
        super()._before_training_iteration(**kwargs)

    def optimizer_step(self) -> None:
        """Step, unless the loss or a gradient is NaN or infinite.

        Raises:
            FloatingPointError: If one is, a gradient in float16 at whatever scale; the
                model stays as before the batch.
        """
        whole = self.completes_step and not self.scaler.is_enabled()
        groups = self.optimizer.param_groups if whole else []
        with self._statistics.restored_on_error(), self.reset_scaler_on_error():
            check_finite(self, [p for group in groups for p in group["params"]])
            super().optimizer_step()

    def _train_cleanup(self) -> None:
        super()._train_cleanup()
        self.loss_terms = {}

    def follow_step(self, outputs: Tensor) -> None:
        """Move momentum networks and queues.

        Args:
            outputs: Of all images of the step, without gradient, shape (N, V, E).
        """
        batches = self.accumulation.batches
        steps = len(self.dataloader) * self.train_epochs // batches
        step = self.part * steps + self.clock.train_exp_iterations // batches
        self.model.after_step(outputs, step, self.parts * steps)

    def _eval_cleanup(self) -> None:
        super()._eval_cleanup()
        self.mb_features = None

    def _after_training_exp(self, **kwargs: Any) -> None:
        super()._after_training_exp(**kwargs)
        self.past_model.forget_batch()
        self.part = (self.part + 1) % self.parts
