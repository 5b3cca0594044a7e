"""Barlow Twins: decorrelated embeddings."""

import torch
from lightly.models.modules import BarlowTwinsProjectionHead
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from avalanche_pnr.losses import LossReduction, barlow_twins_loss
from avalanche_pnr.methods.base import SelfSupervisedMethod
from avalanche_pnr.methods.checks import check_mean, check_weights
from avalanche_pnr.methods.dry_run import infer_feature_dim


class BarlowTwins(SelfSupervisedMethod):
    """Pulls the cross-correlation of the views to the identity.

    With f of the past model, f' that of the other view and p = g(z), PNR's objective is
    L_BT(z) + lambda_distill L_BT(p, f) + lambda_pnr cos(p, f'), see
    :meth:`SelfSupervisedMethod.pnr_distill_loss`.

    Args:
        backbone: Maps inputs to features (N, F), without a classifier.
        hidden_dim: Width of the projector's two hidden layers.
        projection_dim: Size D of a projection.
        scale: Factor of the loss, in the SSL loss and in ``distill_loss``.
        lambda_off_diagonal: Weight of the off-diagonal entries.
        lambda_distill: Weight of ``distill_loss``.
        lambda_pnr: Weight of ``pseudo_negative_loss``; 0 makes PNR equal to CaSSLe.
        image_shape: Channels, height and width, to find F by a dry run.
        example_input: For inputs that are no images, such as token ids (N, L) or
            windows (N, C, L), a batch of them for the dry run; ``None`` for images.

    Raises:
        ValueError: If a weight is negative, or the backbone does not return vectors.

    Source: Zbontar et al. 2021, arXiv 2103.03230; Cha et al. 2024, arXiv 2306.05101.
    """

    loss_is_mean_over_images = False

    def __init__(
        self,
        backbone: nn.Module,
        *,
        hidden_dim: int = 2048,
        projection_dim: int = 2048,
        scale: float = 0.1,
        lambda_off_diagonal: float = 5e-3,
        lambda_distill: float = 1.0,
        lambda_pnr: float = 1.0,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        example_input: Tensor | None = None,
    ) -> None:
        check_weights(
            scale=scale,
            lambda_off_diagonal=lambda_off_diagonal,
            lambda_distill=lambda_distill,
        )
        features = infer_feature_dim(backbone, image_shape, example_input)
        projector = BarlowTwinsProjectionHead(features, hidden_dim, projection_dim)
        super().__init__(backbone, projector, projection_dim)
        self.set_input_dims(example_input)
        self.scale = scale
        self.lambda_off_diagonal = lambda_off_diagonal
        self.lambda_distill = lambda_distill
        self.set_lambda_pnr(lambda_pnr)

    def loss(self, output: Tensor, reduction: LossReduction = "mean") -> Tensor:
        """Compute the redundancy reduction of the two views."""
        check_mean("BarlowTwins", reduction)
        return self._redundancy(output[:, 0], output[:, 1])

    def distill_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        """Compute the same loss of p and f of the same view."""
        views = zip(predicted.unbind(1), past.unbind(1), strict=True)
        return torch.stack([self._redundancy(p, f) for p, f in views]).mean()

    def pseudo_negative_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        """Compute the negative cosine of p and f of the other view."""
        return -cosine_similarity(predicted, past.flip(1), dim=-1).mean()

    def _redundancy(self, a: Tensor, b: Tensor) -> Tensor:
        return barlow_twins_loss(a, b, self.scale, self.lambda_off_diagonal)
