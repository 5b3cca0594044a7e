"""The strategy: Avalanche's training loop for self-supervised methods."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import torch
from avalanche.core import BasePlugin, SupervisedPlugin
from avalanche.training.plugins import EvaluationPlugin
from avalanche.training.templates.base_sgd import BaseSGDTemplate
from avalanche.training.templates.observation_type import BatchObservation
from avalanche.training.templates.update_type import SGDUpdate
from torch import Tensor
from torch.optim import Optimizer

from avalanche_pnr.benchmarks.streams.stream_samples import StreamSamples
from avalanche_pnr.distributed.collectives import explain_lost_rank, world_size
from avalanche_pnr.distributed.sharding import plain_loader, sharded
from avalanche_pnr.methods import PastModel, SelfSupervisedMethod
from avalanche_pnr.methods.precision import Precision
from avalanche_pnr.reproducibility.random_state import preserve_random_state
from avalanche_pnr.reproducibility.sampling import SeededLoader
from avalanche_pnr.runs.files import naming_file
from avalanche_pnr.training.accumulation import Accumulation
from avalanche_pnr.training.avalanche_workarounds import (
    bind_submodules,
    use_collate_fn,
    with_common_fields,
    workarounds,
)
from avalanche_pnr.training.checkpoint import (
    check_state,
    restore_strategy,
    strategy_state,
    whole_stream,
)
from avalanche_pnr.training.compatibility import PluginCompatibility
from avalanche_pnr.training.distributed_forward import (
    DistributedForward,
    average_statistics,
    check_same_experience,
    check_same_weights,
    check_supports_distributed,
    check_world,
    share_random_state,
    share_weights,
    synchronise_batchnorm,
)
from avalanche_pnr.training.evaluator import default_evaluator
from avalanche_pnr.training.finite import check_scale, not_finite, running_statistics
from avalanche_pnr.training.loading import (
    check_batches,
    check_images,
    views_of_experience,
)
from avalanche_pnr.training.problem import (
    MethodLoss,
    SelfSupervisedProblem,
    check_method,
)

_TRANSIENT: dict[str, Any] = {
    "_samples": None,
    "distributed": None,
    "kept_statistics": [],
    "checkpoint_callback": None,
    "workarounds": [],
}
"""Attributes left out of copies and Avalanche's checkpoints, which begin as here."""


class SelfSupervised(
    BatchObservation, SelfSupervisedProblem, SGDUpdate, BaseSGDTemplate
):
    """Train a self-supervised method on a stream of experiences.

    Without plugins this is finetuning. :class:`~avalanche_pnr.PNRPlugin` or
    :class:`~avalanche_pnr.CaSSLePlugin` make it a continual method, as the strategies
    of their names, :class:`~avalanche_pnr.PNR` and :class:`~avalanche_pnr.CaSSLe`, do;
    :class:`~avalanche_pnr.ProbePlugin` judges it. Avalanche's own plugins compose;
    those that cannot work are refused, see ``docs/compatibility.md``. One training step
    is in :meth:`training_epoch`; ``docs/architecture.md`` walks through it.

    The optimizer's state restarts in each experience and incomplete batches are
    dropped, as published: ``train(experience, reset_optimizer_state=False,
    drop_last=False)`` changes that. Parameters that plugins add to the model join
    the optimizer's first group. Evaluation leaves the random number generators
    untouched. Batches are functions of a seed, which is drawn when an experience
    begins, of epoch and index: the same whatever the number of workers that load them.
    :meth:`state_dict` holds all that training needs to be resumed bit for bit.

    Args:
        model: The method, for example :class:`~avalanche_pnr.MoCoV2Plus`.
        optimizer: Optimizer of ``model.parameters()``.
        train_mb_size: Number of images in a training batch, 2 or more, over all
            processes.
        train_epochs: Number of passes over each experience, 1 or more.
        eval_mb_size: Number of images in an evaluation batch; ``None`` for
            ``train_mb_size``.
        device: Device on which the model is trained.
        precision: Number formats, memory layout and compilation of the networks;
            ``None`` for the model's own, by default float32.
        accumulate: Number of batches in an optimizer step. Unlike in one large batch,
            images are contrasted and normalised only within their own batch.
        sync_batchnorm: Whether BatchNorm normalises over the whole batch instead of
            each process's shard of it; on GPUs only.
        plugins: Any of Avalanche's or this package's plugins, in any order.
        evaluator: Evaluation plugin with metrics and loggers, or a function that makes
            one; ``None`` for none.
        eval_every: Number of epochs (or iterations) of training between evaluations; 0
            evaluates only at the end of each experience, -1 never.
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
        """Gradients and outputs of the batches of a step so far."""

        for batch_size in (train_mb_size, train_mb_size * accumulate):
            model.check_batch_size(batch_size)
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
        check_supports_distributed(self.plugins)

        self.distributed: DistributedForward | None = None
        """The forward pass of several processes; ``None`` on one."""

        self.past_model = PastModel()
        """The network of the previous experience, or a moving average; plugins share
        it."""

        self.scaler = torch.amp.GradScaler(
            self.device.type, enabled=model.precision.scales_losses
        )
        """Scales losses in float16, and does nothing otherwise."""

        self.kept_statistics: list[tuple[Tensor, Tensor]] = []
        """BatchNorm's statistics, each with a copy from before the batch."""

        self.sub_experience = 0
        """Index of the current sub-experience on online streams."""

        self.seed = 0
        """Seed of the batches of the current experience."""

        self.within_epoch = False
        """True while the current epoch has further batches."""

        self.checkpoint_callback: Callable[[SelfSupervised], None] | None = None
        """Called after each iteration and each epoch, where the state is complete, to
        save it or to stop by raising an error."""

        self._unfinished: dict[str, Any] | None = None
        """State saved in the midst of an experience, until training resumes from it."""

        self._samples: StreamSamples | None = None
        """The images of the stream, which replay buffers refer to."""

        self.workarounds: list[Callable[[], object]] = []
        """Functions called in each iteration that work around faults of plugins."""

        self.compatibility = PluginCompatibility()
        """Checks the plugins and puts them in order."""

        self.compatibility.check_plugins(self)

    # Training, from the outside in: experiences, epochs, batches.

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
        with explain_lost_rank():
            metrics: dict[str, Any] = super().train(
                experiences, eval_streams, drop_last=drop_last, **kwargs
            )
        return metrics

    def _before_training(self, **kwargs: Any) -> None:
        self.compatibility.check_plugins(self)
        # What an unfinished experience began with has been logged already.
        self.evaluator.active = self._unfinished is None
        share_weights(self.model)
        super()._before_training(**kwargs)

    def _before_training_exp(self, **kwargs: Any) -> None:
        self.compatibility.check_stream(self)
        self._check_unfinished()
        if self._samples is None:
            self._samples = StreamSamples(whole_stream(self.experience))
        # Stopped in an experience's last epoch, Avalanche would skip the next one.
        self._stop_training = False
        share_random_state()
        self.distributed = DistributedForward() if world_size() > 1 else None
        self.past_model.gather = self.distributed.gather if self.distributed else None
        self.objective = None
        super()._before_training_exp(**kwargs)  # loader, optimizer, then the plugins
        check_same_experience(self)
        self.workarounds = workarounds(self)

    def _after_train_dataset_adaptation(self, **kwargs: Any) -> None:
        super()._after_train_dataset_adaptation(**kwargs)
        self.adapted_dataset: Any = with_common_fields(self.adapted_dataset)

    def make_train_dataloader(self, *, drop_last: bool, **kwargs: Any) -> None:
        """Make the loader of stacked views.

        Memory is pinned where worker processes load for a GPU: without them it would
        not happen in the background, and views may be on the GPU already.

        Args:
            drop_last: Whether to drop an incomplete last batch.
            **kwargs: Arguments of Avalanche's ``make_train_dataloader``.

        Raises:
            ValueError: If the experience or a memory has fewer images than a batch, or
                there are fewer batches than in a step.
        """
        if drop_last:
            self.compatibility.check_memories(self)
        check_images(self, drop_last)
        self.model.check_batch_size(self.train_mb_size)
        self.model.check_experience(len(self.adapted_dataset))
        pin_memory = self.device.type == "cuda" and kwargs.get("num_workers", 0) > 0
        super().make_train_dataloader(
            **{"pin_memory": pin_memory, **kwargs, "drop_last": drop_last}
        )
        check_batches(self)
        use_collate_fn(self.dataloader, self.adapted_dataset)

    def check_model_and_optimizer(
        self, reset_optimizer_state: bool = True, **kwargs: Any
    ) -> None:
        """Adapt model and optimizer to the experience.

        Args:
            reset_optimizer_state: Whether momenta restart.
            **kwargs: Arguments of ``train``.
        """
        super().check_model_and_optimizer(
            reset_optimizer_state=reset_optimizer_state, **kwargs
        )

    def make_optimizer(self, **kwargs: Any) -> None:
        """Let the optimizer hold exactly the model's trainable parameters.

        Args:
            **kwargs: Arguments of Avalanche's ``make_optimizer``.
        """
        groups = self.optimizer.param_groups
        known = {id(param) for group in groups for param in group["params"]}
        old = self.optimized_param_id or {}
        groups[0]["params"] += [
            param
            for name, param in self.model.named_parameters()
            if id(param) not in known and name not in old
        ]
        super().make_optimizer(**{**kwargs, "remove_params": True})

    def _train_exp(
        self, experience: Any, eval_streams: Any = None, **kwargs: Any
    ) -> None:
        """Avalanche's loop over epochs, resumed where an interrupted one stopped.

        All hooks that begin an experience have run; a saved state then replaces the
        state that they produced.
        """
        self.seed = int(torch.randint(2**62, ()))
        state, self._unfinished = self._unfinished, None
        if state is not None:
            self._restore(state)
            self.evaluator.active = True
        for epoch in range(self.clock.train_exp_epochs, self.train_epochs):
            self._before_training_epoch(**kwargs)
            if not isinstance(self.dataloader, SeededLoader):
                self.dataloader: Any = SeededLoader(self.dataloader, self.seed)
            self.dataloader.epoch = epoch
            if self._stop_training:  # early
                self._stop_training = False
                break
            if state is not None and state["batches"]:
                self._restore(state)  # the hooks of the epoch have changed it
                self.dataloader.skip = state["batches"]
            state = None
            self.within_epoch = True
            self.training_epoch(**kwargs)
            self.within_epoch = False
            self._after_training_epoch(**kwargs)
            if self.checkpoint_callback is not None:
                self.checkpoint_callback(self)

    def training_epoch(self, **kwargs: Any) -> None:
        """Train on the batches of an epoch: Avalanche's loop, with updates after steps.

        With ``accumulate``, hooks of a batch are called for each batch, and hooks of
        gradients and steps (``after_backward``, ``before_update``, ``after_update``)
        once a step, when the gradient is whole and unscaled.

        Args:
            **kwargs: Arguments of the hooks.
        """
        accumulation = self.accumulation
        accumulates = accumulation.batches > 1
        statistics = running_statistics(self.model)
        steps = len(self.dataloader) * self.train_epochs // accumulation.batches
        first = self.sub_experience * steps
        total = self.sub_experiences * steps

        for batch in self.dataloader:
            if self._stop_training:
                break

            self.mbatch = batch
            self._unpack_minibatch()
            self.kept_statistics = [(each, each.clone()) for each in statistics]
            self._before_training_iteration(**kwargs)
            for work_around in self.workarounds:
                work_around()
            if not self.model.training:  # RWalk and EWC leave it in eval mode
                self.model.train()

            iteration = self.clock.train_exp_iterations
            self.optimizer.zero_grad()
            if accumulates:
                accumulation.begin_batch(self.model, iteration)
            self.loss = self._make_empty_loss()

            # Forward
            self._before_forward(**kwargs)
            self.mb_output = self.forward()
            self._after_forward(**kwargs)

            # Loss and backward
            self.loss += self.criterion()

            self._before_backward(**kwargs)
            self.backward()

            # Step; momentum networks and queues
            if accumulation.completes_step:
                self._after_backward(**kwargs)
                self._before_update(**kwargs)
                self.optimizer_step()
                self._after_update(**kwargs)
                output = self.mb_output.detach()
                if accumulates:
                    output = accumulation.outputs(output)
                step = first + iteration // accumulation.batches
                self.model.after_step(output, step, total)
            elif not self.loss.isfinite().all():
                raise not_finite(self)
            else:
                accumulation.keep_batch(self.model, self.mb_output.detach())

            self._after_training_iteration(**kwargs)
            if self.past_model.decay is not None and accumulation.completes_step:
                self.past_model.average(self.model)
            if self.checkpoint_callback is not None:
                self.checkpoint_callback(self)

    def backward(self) -> None:
        """Add the gradient of the batch to that of the step."""
        loss = self.scaler.scale(self.loss / self.accumulation.batches)
        loss.backward(retain_graph=self.retain_graph)
        if self.accumulation.completes_step:
            self.scaler.unscale_(self.optimizer)

    def optimizer_step(self) -> None:
        """Step, unless the loss or a gradient is NaN or infinite.

        Raises:
            FloatingPointError: If one is (in float16, a gradient at any scale); the
                model stays as it was before the batch.
        """
        groups = self.optimizer.param_groups
        params = [param for group in groups for param in group["params"]]
        gradients = [param.grad for param in params if param.grad is not None]
        if self.scaler.is_enabled():  # it checks them itself
            gradients = []
        norms = torch._foreach_norm(gradients) if gradients else ()
        # One number is read back from the device, which the host waits for.
        if not torch.stack([self.loss.detach().sum(), *norms]).isfinite().all():
            raise not_finite(self)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scaler.is_enabled():
            check_scale(self)

    def _after_training_exp(self, **kwargs: Any) -> None:
        share_random_state()
        average_statistics(self.model)
        super()._after_training_exp(**kwargs)
        check_same_weights(self.model)
        self.objective = None
        self.past_model.forget_batch()
        self.sub_experience = (self.sub_experience + 1) % self.sub_experiences

    def _train_cleanup(self) -> None:
        super()._train_cleanup()
        self.loss_terms = {}

    def training_views(self, num_workers: int = 0) -> Iterator[Tensor]:
        """Yield the experience's own views once, in random order.

        Samples that replay plugins add to the training loader are left out. The random
        number generators are restored.

        Args:
            num_workers: Number of processes of the data loader.

        Returns:
            Views of batches, shape (N, V, ...), on the strategy's device; on
            several processes, those of this process's shard.
        """
        return views_of_experience(self, num_workers)

    # Evaluation.

    def eval(self, exp_list: Any, **kwargs: Any) -> dict[str, Any]:
        """Evaluate the features on a stream or an experience.

        Args:
            exp_list: An experience or several.
            **kwargs: Arguments of the data loader.

        Returns:
            The last value of every metric.
        """
        self.model.to(self.device)
        average_statistics(self.model)
        with preserve_random_state(), explain_lost_rank():
            metrics: dict[str, Any] = super().eval(exp_list, **kwargs)
        return metrics

    def make_eval_dataloader(self, **kwargs: Any) -> None:
        """Make the loader of this process's shard of the images.

        Args:
            **kwargs: Arguments of Avalanche's ``make_eval_dataloader``.
        """
        super().make_eval_dataloader(**kwargs)
        if world_size() > 1:
            self.dataloader = sharded(plain_loader(self.dataloader))
            self.distributed = self.distributed or DistributedForward()

    def _save_train_state(self) -> dict[str, Any]:
        # Avalanche forgets the batch, which MIR asks for when the experience ends.
        batch = {name: getattr(self, name) for name in ("mbatch", "mb_output", "loss")}
        return {**super()._save_train_state(), "batch": batch}

    def _load_train_state(self, prev_state: dict[str, Any]) -> None:
        super()._load_train_state(prev_state)
        self.__dict__.update(prev_state["batch"])

    def _eval_cleanup(self) -> None:
        super()._eval_cleanup()
        self.mb_features = None

    # States.

    def state_dict(self) -> dict[str, Any]:
        """Return all that training depends on, as tensors and plain data.

        Model, past model, optimizer, plugins, metrics, counters and random number
        generators; remembered images as indices into the stream, with a digest of
        each. Like a module's, the tensors are not copies. It may be taken between
        experiences and in ``checkpoint_callback``; on several processes all call it,
        and it is the same in each.

        Raises:
            TypeError: If a plugin holds what cannot be saved; the message names it.
        """
        average_statistics(self.model)
        state = strategy_state(self, self._samples)
        within = self.experience is not None
        batches = self.clock.train_epoch_iterations if self.within_epoch else 0
        return {
            **state,
            "experience": self.experience.current_experience if within else None,
            "batches": batches,
            "seed": self.seed,
        }

    def load_state_dict(
        self, state: dict[str, Any], stream: Iterable[Any] = ()
    ) -> None:
        """Restore the state of a strategy made with the same arguments.

        If it was in the midst of an experience, the next call of :meth:`train`, with
        that experience, continues it::

            strategy.load_state_dict(load_state(path), benchmark.train_stream)
            for experience in benchmark.train_stream[strategy.clock.train_exp_counter:]:
                strategy.train(experience)

        Args:
            state: Result of :meth:`state_dict`.
            stream: The train stream, in which remembered images are found. It may be
                left out if none are remembered.

        Raises:
            ValueError: If plugins or parameters differ from those of the state, a
                remembered image is not where it was, or any other value does not
                belong in its place; with the file that it was read from. The strategy
                cannot be used afterwards.
        """
        experiences = list(stream)
        self._samples = StreamSamples(experiences) if experiences else None
        self._restore(state)
        self._unfinished = None if state["experience"] is None else state

    def _restore(self, state: dict[str, Any]) -> None:
        with naming_file(state):
            check_state(state)
            restore_strategy(self, state, self._samples)
            self.seed = state["seed"]

    def _check_unfinished(self) -> None:
        state, present = self._unfinished, self.experience.current_experience
        if state is not None and state["experience"] != present:
            with naming_file(state):
                raise ValueError(
                    "the state was saved in the midst of experience "
                    f"{state['experience']}: train on that one before experience "
                    f"{present}"
                )

    def __getstate__(self) -> dict[str, Any]:
        bind_submodules(torch.optim)  # for Avalanche's save_checkpoint
        return {k: v for k, v in vars(self).items() if k not in _TRANSIENT}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({**_TRANSIENT, **state})

    def _check_distributed_training_compatibility(self) -> bool:
        check_supports_distributed(self.plugins)
        return True
