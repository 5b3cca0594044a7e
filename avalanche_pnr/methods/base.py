"""The base class of self-supervised methods."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from avalanche_pnr.losses import Reduction
from avalanche_pnr.methods.checks import check_weights
from avalanche_pnr.methods.precision import Precision


class SelfSupervisedMethod(nn.Module, ABC):
    """A backbone, a projector, an SSL loss, and two losses that use the past model.

    Called with one image per sample, (N, C, H, W), it gives the backbone's features
    (N, F). Called with stacked views, (N, V, C, H, W), it gives one tensor (N, V, E)
    with all that :meth:`loss` needs, the projection first: so the loss is a function
    of the output alone and can be computed for any batch.

    A subclass defines :meth:`loss`, and for continual learning
    :meth:`distill_loss` (CaSSLe's distillation D) and :meth:`pseudo_negative_loss`
    (PNR's D'). With them, the two terms of PNR's objective are

    * :meth:`pnr_ssl_loss`, by default ``loss``;
    * :meth:`pnr_distill_loss`, by default
      ``lambda_distill * distill_loss - lambda_pnr * pseudo_negative_loss``.

    InfoNCE methods put the pseudo-negatives into the denominators instead and
    override these two.

    Attributes:
        heads: Networks that plugins have added, by name; see :meth:`add_head`.
        lambda_distill: Weight of ``distill_loss``.
        lambda_pnr: Weight of ``pseudo_negative_loss``; without effect where
            ``pnr_distill_loss`` is overridden. See :meth:`set_lambda_pnr`.
        stack_views: Whether the views pass the networks as one batch (2 N, C, H, W):
            BatchNorm then normalises both together, which is not as published.
        precision: How the networks are computed; see :meth:`compute_in`.
        loss_is_mean_over_images: Whether each image has a loss of its own,
            ``reduction="none"``, which MIR asks for.

    Args:
        backbone: Maps images (N, C, H, W) to features (N, F), without a classifier.
        projector: Maps features (N, F) to projections (N, D).
        projection_dim: D.
    """

    lambda_distill: float = 1.0
    lambda_pnr: float = 1.0
    stack_views: bool = False
    precision: Precision = Precision()
    loss_is_mean_over_images: bool = True

    def __init__(
        self, backbone: nn.Module, projector: nn.Module, projection_dim: int
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.projector = projector
        self.projection_dim = projection_dim
        self.heads = nn.ModuleDict()

    @abstractmethod
    def loss(self, output: Tensor, reduction: Reduction = "mean") -> Tensor:
        """The SSL loss of the current batch.

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
        """Distance of predictions to the past model's outputs: CaSSLe's D(p, f).

        Args:
            predicted: p = g(z), shape (N, V, D).
            past: f, shape (N, V, D), without gradient.
        """
        raise NotImplementedError(f"define distill_loss in {type(self).__name__}")

    def pseudo_negative_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        """Distance to the pseudo-negatives, f of the other view: PNR's D'(p, f).

        Args:
            predicted: p = g(z), shape (N, V, D).
            past: f, shape (N, V, D), without gradient.
        """
        raise NotImplementedError(
            f"define pseudo_negative_loss in {type(self).__name__}"
        )

    def pnr_ssl_loss(self, output: Tensor, past: Tensor) -> Tensor:
        """PNR's L1, which replaces the SSL loss.

        Args:
            output: The method's output, shape (N, V, E).
            past: f, shape (N, V, D), without gradient.
        """
        return self.loss(output)

    def pnr_distill_loss(
        self, output: Tensor, predicted: Tensor, past: Tensor
    ) -> Tensor:
        """PNR's L2, which regularises towards the past model.

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
        """Features of images (N, C, H, W), or outputs of views (N, V, C, H, W)."""
        if x.dim() == 4:
            features: Tensor = self.backbone(x)
            return features
        return self.precision.run(self._encode_views, x)

    def _encode_views(self, x: Tensor) -> Tensor:
        if self.stack_views:
            return self.encode(x.flatten(0, 1)).reshape(*x.shape[:2], -1)
        return torch.stack([self.encode(view) for view in x.unbind(1)], dim=1)

    def compute_in(self, precision: Precision) -> None:
        """Choose how the networks are computed from now on."""
        self.precision = precision
        precision.prepare(self)

    def encode(self, images: Tensor) -> Tensor:
        """One view's part of the output, (N, E); the projection comes first."""
        return self.project(images)

    def project(self, images: Tensor) -> Tensor:
        """Online projection of one view, (N, C, H, W) to (N, D).

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
        """The online projection inside an output, as g receives it, (N, V, D)."""
        return output[..., : self.projection_dim]

    def add_head(self, name: str, make: Callable[[], nn.Module]) -> None:
        """Add a head to :attr:`heads`, unless there is one of that name.

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


def infer_feature_dim(backbone: nn.Module, image_shape: tuple[int, int, int]) -> int:
    """Find the size of a backbone's features by a dry run.

    Args:
        backbone: Maps images to feature vectors.
        image_shape: Channels, height and width of an image.

    Warns:
        UserWarning: If the backbone ends in a classifier.

    Raises:
        ValueError: If the backbone cannot take such images, or returns something else
            than (N, F).
    """
    features = _dry_run(backbone, image_shape)
    if not isinstance(features, Tensor) or features.dim() != 2:
        shape = tuple(getattr(features, "shape", ()))
        raise ValueError(
            f"{type(backbone).__name__} returns {type(features).__name__} of shape "
            f"{shape} for 2 images {image_shape}, not one vector an image: end it "
            "with nn.AdaptiveAvgPool2d(1) and nn.Flatten()"
        )
    _warn_of_classifier(backbone, features.shape[1])
    return features.shape[1]


def _dry_run(backbone: nn.Module, image_shape: tuple[int, int, int]) -> Any:
    """Return a backbone's output for two images; its modes stay as they are."""
    was_training = {module: module.training for module in backbone.modules()}
    like = next(backbone.parameters(), torch.empty(0))
    try:
        with torch.no_grad():
            return backbone.eval()(torch.zeros(2, *image_shape).to(like))
    except (RuntimeError, ValueError, AssertionError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"{type(backbone).__name__} cannot take images of "
            f"image_shape={tuple(image_shape)} ({reason}): give the method the "
            "image_shape=(channels, height, width) of your images (on the command line "
            "data.image_size), and the backbone their size if it has one: image_size, "
            "or timm's img_size or dynamic_img_size=True"
        ) from error
    finally:
        for module, mode in was_training.items():
            module.training = mode


CLASSIFIERS = ("fc", "classifier", "head", "heads")
"""Names in torchvision and timm of the layers after the features."""


def _warn_of_classifier(backbone: nn.Module, features: int) -> None:
    layers = {n: m for n, m in backbone.named_modules() if isinstance(m, nn.Linear)}
    name = next(reversed(layers), "")
    top = name.partition(".")[0]
    if top in CLASSIFIERS and layers[name].out_features == features:
        warnings.warn(
            f"{type(backbone).__name__} ends in a classifier, {name}, whose "
            f"{features} class scores are taken for features: write "
            f"backbone.{top} = nn.Identity(), with timm num_classes=0",
            stacklevel=4,
        )
