"""The self-supervised problem: what a batch is, and what its loss is."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from avalanche_pnr.losses import Reduction
from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.training.data_parallel import Replica


class MethodLoss:
    """The plain SSL loss of the strategy's model, as Avalanche's plugins call it.

    A function of ``(output, target)`` without state of a batch: GEM, MIR and others
    evaluate it on batches of their own.

    Attributes:
        model: Whose loss it is.
        reduction: ``"mean"``, or ``"none"`` for one value an image.
    """

    model: Any

    def __init__(self) -> None:
        self.reduction: Reduction = "mean"

    def __call__(self, output: Tensor, target: Tensor | None = None) -> Tensor:
        """The SSL loss of an output (N, V, E); targets are not used."""
        loss: Tensor = self.model.loss(output, self.reduction)
        return loss


class SelfSupervisedProblem:
    """Avalanche mixin for batches of stacked views, labelled or not.

    In training a batch is ``[views (N, V, C, H, W), labels, ...]``, where labels may
    be absent (they become -1). In evaluation it is ``[images (N, C, H, W), labels,
    ...]``; the output is what the probe ``readout`` makes of the features.
    """

    model: Any
    mbatch: Any
    mb_output: Tensor
    mb_features: Tensor | None
    device: torch.device
    experience: Any
    is_training: bool
    readout: Callable[[Tensor], Tensor] | None
    pseudo_negatives: Tensor | None
    loss_terms: dict[str, Tensor]
    dataloader: Any
    replica: Replica
    _method_loss: MethodLoss

    @property
    def _criterion(self) -> MethodLoss:
        # Plugins (GDumb) and checkpoints replace the model; the loss follows.
        self._method_loss.model = self.model
        return self._method_loss

    @_criterion.setter
    def _criterion(self, criterion: MethodLoss) -> None:
        self._method_loss = criterion

    @property
    def parts(self) -> int:
        """Parts that the present experience comes in: 1, or more on online streams.

        Avalanche's ``is_last_subexp`` stays False on online streams whose parts
        divide the experience evenly, so the parts are counted.
        """
        return getattr(self.experience, "sub_stream_length", None) or 1

    @property
    def mb_x(self) -> Tensor:
        """Views (N, V, C, H, W) in training, images (N, C, H, W) in evaluation.

        On several processes those of this process alone.
        """
        x: Tensor = self.mbatch[0]
        return x

    @property
    def mb_y(self) -> Tensor:
        """Labels (N,), -1 where there are none."""
        y: Tensor = self.mbatch[1]
        return y

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
        """The model's output (N, V, E) in training, class scores in evaluation.

        Without labels and probes these are the features themselves.

        Raises:
            RuntimeError: If there are labels in evaluation and no probe.
        """
        if self.is_training:
            return self.replica(self.model, self.mb_x)
        output = self.replica.gather(self.model(self.mb_x))
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
        """SSL loss of the batch, or PNR's L1; cross-entropy of the probe in eval."""
        if not self.is_training:
            return cross_entropy(self.mb_output, self.mb_y, ignore_index=-1)
        if self.pseudo_negatives is None:
            loss = self._criterion(self.mb_output, self.mb_y)
        else:
            loss = self.model.plasticity(self.mb_output, self.pseudo_negatives)
        self.loss_terms = {"loss": loss.detach()}
        return loss

    def _unpack_minibatch(self) -> None:
        parts = [self.mbatch] if isinstance(self.mbatch, Tensor) else self.mbatch
        self.replica.take_batch(self.dataloader, len(parts[0]))
        if self.is_training:
            check_views(parts[0])
            self.model.check_batch_size(self.replica.images)
        batch = [part.to(self.device, non_blocking=True) for part in parts]
        if len(batch) == 1:
            batch.append(torch.full((len(batch[0]),), -1, device=self.device))
        self.mbatch = [batch[0], *map(self.replica.gather, batch[1:])]


def check_method(model: Any) -> None:
    """Refuse a network that has no self-supervised loss.

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


def check_views(x: Any) -> None:
    """Refuse a batch that is not made of stacked views.

    Args:
        x: First part of a training batch.

    Raises:
        ValueError: Unless it is a tensor (N, 2, C, H, W).
    """
    if isinstance(x, Tensor) and x.dim() == 5 and x.shape[1] == 2:
        return
    got = tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
    raise ValueError(
        f"a training batch must be one tensor of two stacked views (N, 2, C, H, W), "
        f"got {got}: let the data set's train transform return "
        "torch.stack(views), as avalanche_pnr.TwoViews does, and let samples be "
        "tuples, (x, -1) without labels"
    )
