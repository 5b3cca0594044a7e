"""The base class of self-supervised methods."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from avalanche_pnr.losses import LossReduction
from avalanche_pnr.methods.checks import check_weights
from avalanche_pnr.methods.precision import Precision


class SelfSupervisedMethod(nn.Module, ABC):
    """A backbone, a projector, an SSL loss, and two losses that use the past model.

    Called with one input per sample, (N, ...), it gives the backbone's features
    (N, F). Called with stacked views of each, (N, V, ...), it gives one tensor
    (N, V, E) with all that :meth:`loss` needs, the projection first: so the loss is a
    function of the output alone and can be computed for any batch. Inputs are images
    (C, H, W), or whatever else the backbone takes, of any dtype: ``input_dims`` tells
    one from the other.

    A subclass defines :meth:`loss`, and for continual learning
    :meth:`distill_loss` (CaSSLe's distillation D) and :meth:`pseudo_negative_loss`
    (PNR's D'). With them, the two terms of PNR's objective are

    * :meth:`pnr_ssl_loss`, by default ``loss``;
    * :meth:`pnr_distill_loss`, by default
      ``lambda_distill * distill_loss - lambda_pnr * pseudo_negative_loss``.

    InfoNCE methods put the pseudo-negatives into the denominators instead and
    override these two.

    Attributes:
        input_dims: Number of dimensions of one input: 3 for an image (C, H, W), 1 for
            token ids (L,), 2 for a window (C, L) of a time series.
        heads: Networks that plugins have added, by name; see :meth:`add_head`.
        lambda_distill: Weight of ``distill_loss``.
        lambda_pnr: Weight of ``pseudo_negative_loss``; without effect where
            ``pnr_distill_loss`` is overridden. See :meth:`set_lambda_pnr`.
        stack_views: Whether the views pass the networks as one batch (2 N, ...):
            BatchNorm then normalises both together, which is not as published.
        precision: How the networks are computed; see :meth:`compute_in`.
        loss_is_mean_over_images: Whether each image has a loss of its own,
            ``reduction="none"``, which MIR asks for.
        output_length_varies: Whether the length of the output depends on the weights,
            which MAS asks for.

    Args:
        backbone: Maps inputs (N, ...) to features (N, F), without a classifier.
        projector: Maps features (N, F) to projections (N, D).
        projection_dim: Size D of a projection.
    """

    input_dims: int = 3
    lambda_distill: float = 1.0
    lambda_pnr: float = 1.0
    stack_views: bool = False
    precision: Precision = Precision()
    loss_is_mean_over_images: bool = True
    output_length_varies: bool = True

    def __init__(
        self, backbone: nn.Module, projector: nn.Module, projection_dim: int
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.projector = projector
        self.projection_dim = projection_dim
        self.heads = nn.ModuleDict()

    @abstractmethod
    def loss(self, output: Tensor, reduction: LossReduction = "mean") -> Tensor:
        """Compute the SSL loss of the current batch.

        Args:
            output: The method's output for stacked views, shape (N, V, E).
            reduction: ``"mean"`` for a scalar, ``"none"`` for one value an image.
        """

    def defines(self, loss: str) -> bool:
        """Return whether the method overrides a loss, given by name."""
        return getattr(type(self), loss) is not getattr(SelfSupervisedMethod, loss)

    def set_lambda_pnr(self, lambda_pnr: float) -> None:
        """Set the weight of ``pseudo_negative_loss``.

        Raises:
            ValueError: If it is negative, or ``pnr_distill_loss`` has no such weight.
        """
        if self.defines("pnr_distill_loss"):
            raise ValueError(
                f"lambda_pnr={lambda_pnr:g} has no place in {type(self).__name__}, "
                "whose own loss takes the pseudo-negatives in, without a weight: leave "
                "lambda_pnr out"
            )
        check_weights(lambda_pnr=lambda_pnr)
        self.lambda_pnr = lambda_pnr

    def distill_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        """Measure how far predictions are from past outputs: CaSSLe's D(p, f).

        Args:
            predicted: p = g(z), shape (N, V, D).
            past: f, shape (N, V, D), without gradient.
        """
        raise NotImplementedError(f"define distill_loss in {type(self).__name__}")

    def pseudo_negative_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        """Measure how far predictions are from pseudo-negatives: PNR's D'(p, f).

        The pseudo-negatives are f of the other view.

        Args:
            predicted: p = g(z), shape (N, V, D).
            past: f, shape (N, V, D), without gradient.
        """
        raise NotImplementedError(
            f"define pseudo_negative_loss in {type(self).__name__}"
        )

    def pair_loss(self, first: Tensor, second: Tensor) -> Tensor:
        """Compare two embeddings of each image, as the SSL loss does with two views.

        By default this is ``distill_loss``, of one view. A method whose SSL loss is one
        of two projections gives that.

        Args:
            first: Shape (N, D).
            second: Shape (N, D).
        """
        return self.distill_loss(first.unsqueeze(1), second.unsqueeze(1))

    def pnr_ssl_loss(self, output: Tensor, past: Tensor) -> Tensor:
        """Compute PNR's L1, which replaces the SSL loss.

        Args:
            output: The method's output, shape (N, V, E).
            past: f, shape (N, V, D), without gradient.
        """
        return self.loss(output)

    def pnr_distill_loss(
        self, output: Tensor, predicted: Tensor, past: Tensor
    ) -> Tensor:
        """Compute PNR's L2, which regularises towards the past model.

        Args:
            output: The method's output, shape (N, V, E).
            predicted: p = g(z), shape (N, V, D).
            past: f, shape (N, V, D), without gradient.
        """
        distillation = self.lambda_distill * self.distill_loss(predicted, past)
        return distillation - self.lambda_pnr * self.pseudo_negative_loss(
            predicted, past
        )

    def forward(self, x: Tensor) -> Tensor:
        """Compute features of inputs (N, ...) or outputs of views (N, V, ...)."""
        if x.dim() == self.input_dims + 1:
            features: Tensor = self.backbone(x)
            return features
        with self.precision.autocast(x.device.type):
            if self.stack_views:
                output = self.encode(x.flatten(0, 1)).reshape(*x.shape[:2], -1)
            else:
                output = torch.stack([self.encode(view) for view in x.unbind(1)], dim=1)
        return output if self.precision.dtype == "float32" else output.float()

    def set_input_dims(self, example_input: Tensor | None) -> None:
        """Take ``input_dims`` from a batch of inputs (N, ...); ``None`` for images."""
        if example_input is not None:
            self.input_dims = example_input.dim() - 1

    def compute_in(self, precision: Precision) -> None:
        """Choose how the networks are computed from now on."""
        self.precision = precision
        precision.prepare(self)

    def encode(self, images: Tensor) -> Tensor:
        """Project one view, (N, ...) to (N, D).

        A subclass whose loss needs more than the projection appends it: (N, E).

        Raises:
            ValueError: If the projector returns something else.
        """
        projection: Tensor = self.projector(self.backbone(images))
        shape = tuple(getattr(projection, "shape", ()))
        if shape != (len(images), self.projection_dim):
            raise ValueError(
                f"the projector of {type(self).__name__} returns "
                f"{type(projection).__name__} of shape {shape} for "
                f"{len(images)} images, not "
                f"({len(images)}, {self.projection_dim}): end it with a layer of "
                f"projection_dim={self.projection_dim} outputs an image"
            )
        return projection

    def projection(self, output: Tensor) -> Tensor:
        """Return the online projection in an output, as g receives it, (N, V, D)."""
        return output[..., : self.projection_dim]

    def add_head(self, name: str, make: Callable[[], nn.Module]) -> None:
        """Add a head to ``heads``, unless there is one of that name.

        Heads are trained and saved with the method. The order of its parameters does
        not depend on which head comes first.

        Args:
            name: Name of the head.
            make: Function that makes the head, which is moved to the method's device.
        """
        if name not in self.heads:
            self.heads[name] = make().to(next(self.parameters()))
            self.heads = nn.ModuleDict(dict(sorted(self.heads.items())))

    def after_step(self, output: Tensor, step: int, total_steps: int) -> None:
        """Follow an optimizer step: momentum networks, queues.

        Args:
            output: Output for the batch, without gradient, shape (N, V, E).
            step: Index of the step in this experience, from 0.
            total_steps: Number of steps in this experience.
        """

    def reset_past_queue(self, past_outputs: Iterable[Tensor]) -> None:
        """Prepare the queue of past outputs for an experience, if there is one.

        Args:
            past_outputs: f of one pass over the experience, batches of shape
                (N, V, D); computed only as far as they are asked for.
        """

    def enqueue_past(self, past: Tensor) -> None:
        """Enqueue the past model's outputs of a batch as later pseudo-negatives.

        Args:
            past: f, shape (N, V, D), without gradient.
        """

    def check_batch_size(self, batch_size: int) -> None:
        """Refuse batches that the method cannot learn from.

        Args:
            batch_size: Number of images in a batch, N.

        Raises:
            ValueError: If a batch has fewer than two images.
        """
        if batch_size < 2:
            raise ValueError(
                f"self-supervised training needs batches of 2 images or more, got "
                f"{batch_size}: BatchNorm and negatives compare images of a batch"
            )

    def check_experience(self, images: int) -> None:
        """Warn of settings that do not fit the size of an experience.

        Args:
            images: Number of images in the experience about to be trained on.
        """
