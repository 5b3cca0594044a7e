"""The self-supervised problem: batches of views and their loss."""

from collections.abc import Callable
from typing import Any

import torch
from avalanche.training.templates.problem_type import SupervisedProblem
from torch import Tensor
from torch.nn.functional import cross_entropy

from avalanche_pnr.losses import LossReduction
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins.protocols import Objective


class MethodLoss:
    """The plain SSL loss of the strategy's model, as Avalanche's plugins call it.

    It is a function of ``(output, target)`` without any state of a batch: GEM, MIR and
    others evaluate it on batches of their own.

    Attributes:
        model: Method whose loss it is.
        reduction: ``"mean"``, or ``"none"`` for one value an image.
    """

    model: Any

    def __init__(self) -> None:
        self.reduction: LossReduction = "mean"

    def __call__(self, output: Tensor, target: Tensor | None = None) -> Tensor:
        """Compute the SSL loss of an output (N, V, E); targets are not used."""
        loss: Tensor = self.model.loss(output, self.reduction)
        return loss


class SelfSupervisedProblem(SupervisedProblem):
    """Avalanche's mixin for batches and their loss, of stacked views, labelled or not.

    In training a batch is ``[views (N, V, ...), labels, ...]``, where labels may be
    absent (they become -1). In evaluation it is ``[inputs (N, ...), labels, ...]``; the
    output is that of the probe ``readout`` for the features. Inputs are images
    (C, H, W), or of the number of dimensions ``model.input_dims``. The first two fields
    are ``mb_x`` and ``mb_y``; on several processes ``mb_x`` are the process's own.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

        self.objective: Objective | None = None
        """Computes the loss in training, by terms; ``None`` for the method's own."""

        self.loss_terms: dict[str, Tensor] = {}
        """Terms of the current loss by name: ``"loss"``, and that of each plugin."""

        self.mb_features: Tensor | None = None
        """Features (N, F) of the current batch in evaluation."""

        self.readout: Callable[[Tensor], Tensor] | None = None
        """Class scores (N, C) of features (N, F), set by probes."""

    @property
    def _criterion(self) -> MethodLoss:
        # Plugins (GDumb) and checkpoints replace the model; the loss follows.
        self._method_loss.model = self.model
        return self._method_loss

    @_criterion.setter
    def _criterion(self, criterion: MethodLoss) -> None:
        self._method_loss = criterion

    @property
    def sub_experiences(self) -> int:
        """Number of sub-experiences: 1, or more on online streams.

        Avalanche's ``is_last_subexp`` stays False on online streams whose
        sub-experiences divide the experience evenly, so they are counted.
        """
        return getattr(self.experience, "sub_stream_length", None) or 1

    @property
    def mb_task_id(self) -> Tensor:
        """Task labels (N,).

        Raises:
            ValueError: If the stream has none.
        """
        if len(self.mbatch) < 3:
            raise ValueError("this stream has no task labels")
        task_id: Tensor = self.mbatch[-1]
        return task_id

    def forward(self) -> Tensor:
        """Compute outputs (N, V, E) in training, class scores in evaluation.

        Without labels and probes these are the features themselves.

        Raises:
            RuntimeError: If there are labels in evaluation and no probe.
        """
        if self.is_training and self.distributed is not None:
            whole: Tensor = self.distributed(self.model, self.mb_x)
            return whole
        output: Tensor = self.model(self.mb_x)
        if self.is_training:
            return output
        if self.distributed is not None:
            output = self.distributed.gather(output)
        if self.readout is None and (self.mb_y < 0).all():
            return output  # of use to plugins that judge without labels
        if self.readout is None:
            raise RuntimeError(
                "nothing judges the features: add ProbePlugin(train_data=...) to the "
                "strategy's plugins before eval()"
            )
        self.mb_features = output
        return self.readout(output)

    def criterion(self) -> Tensor:
        """Compute the loss in training, the cross-entropy of the probe in evaluation.

        The loss is the sum of the objective's terms: PNR's, while it is at work, and
        the method's SSL loss otherwise.
        """
        if not self.is_training:
            return cross_entropy(self.mb_output, self.mb_y, ignore_index=-1)
        if self.objective is None:
            terms = {"loss": self._criterion(self.mb_output, self.mb_y)}
        else:
            terms = self.objective(self)
        self.loss_terms = {name: term.detach() for name, term in terms.items()}
        first, *others = terms.values()
        return sum(others, start=first)

    def _unpack_minibatch(self) -> None:
        fields = [self.mbatch] if isinstance(self.mbatch, Tensor) else self.mbatch
        x = fields[0]
        dims = self.model.input_dims
        stacked = isinstance(x, Tensor) and x.dim() == dims + 2 and x.shape[1] == 2
        if self.is_training and not stacked:
            raise _not_stacked(x, dims)
        batch = [field.to(self.device, non_blocking=True) for field in fields]
        if len(batch) == 1:
            batch.append(torch.full((len(batch[0]),), -1, device=self.device))
        if self.distributed is not None:
            batch = self.distributed.begin_batch(self.dataloader, batch)
        self.mbatch: Any = batch
        images = len(batch[1])  # in the whole batch
        if self.is_training and images != self.train_mb_size:  # which has been checked
            self.model.check_batch_size(images)


def check_method(model: Any) -> None:
    """Refuse a model that is not a self-supervised method.

    Raises:
        TypeError: Unless it is a ``SelfSupervisedMethod``.
    """
    if isinstance(model, SelfSupervisedMethod):
        return
    advice = "wrap it as the backbone of one, for example MoCoV2Plus(backbone)"
    if isinstance(getattr(model, "_orig_mod", None), SelfSupervisedMethod):
        advice = "give the method itself and precision=Precision(compile=True)"
    if isinstance(getattr(model, "module", None), SelfSupervisedMethod):
        advice = "give the method itself, and start the script with torchrun"
    raise TypeError(f"{type(model).__name__} is not a self-supervised method: {advice}")


def _not_stacked(x: Any, dims: int) -> ValueError:
    """Explain which batch was expected instead of one whose first field is x."""
    got = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
    one = "C, H, W" if dims == 3 else f"and {dims} more"
    return ValueError(
        f"a training batch must be one tensor of two stacked views (N, 2, {one}), "
        f"got {got}: let the data set's train transform return "
        "torch.stack(views), as avalanche_pnr.TwoViews does, and let samples be "
        "tuples, (x, -1) without labels; where inputs are no images, make the method "
        "with example_input=, a batch of them"
    )
