"""BYOL: predict the momentum network's projection of the other view."""

import torch
from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
from torch import Tensor, nn

from avalanche_pnr.losses import LossReduction, byol_distance
from avalanche_pnr.methods.checks import check_weights
from avalanche_pnr.methods.dry_run import infer_feature_dim
from avalanche_pnr.methods.momentum import MomentumMethod


class BYOL(MomentumMethod):
    """Predicts the momentum projection of one view from the other.

    The output of a view is [z | h | k]: projection, its prediction, and the momentum
    projection. The distillation predictor receives z.

    With f of the past model, f' that of the other view and p = g(z), all L2-normalised,
    PNR's objective is L_BYOL + lambda_distill |p - f|^2 - lambda_pnr |p - f'|^2, see
    :meth:`SelfSupervisedMethod.pnr_distill_loss`.

    Args:
        backbone: Maps inputs to features (N, F), without a classifier.
        hidden_dim: Width of the projector's hidden layer.
        projection_dim: Size D of a projection.
        predictor_hidden_dim: Width of the predictor's hidden layer; 8192 in the
            published recipes for 224 px.
        lambda_distill: Weight of ``distill_loss``.
        lambda_pnr: Weight of ``pseudo_negative_loss``; 0 makes PNR equal to CaSSLe.
        momentum_start: Momentum of the target network at the start of an experience.
        momentum_end: Momentum at its end.
        image_shape: Channels, height and width, to find F by a dry run.
        example_input: For inputs that are no images, such as token ids (N, L) or
            windows (N, C, L), a batch of them for the dry run; ``None`` for images.

    Raises:
        ValueError: If a weight is negative, a momentum leaves 0..1, or the backbone
            does not return vectors.

    Source: Grill et al. 2020, arXiv 2006.07733; Cha et al. 2024, arXiv 2306.05101.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        hidden_dim: int = 4096,
        projection_dim: int = 256,
        predictor_hidden_dim: int = 4096,
        lambda_distill: float = 1.0,
        lambda_pnr: float = 1.0,
        momentum_start: float = 0.99,
        momentum_end: float = 1.0,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        example_input: Tensor | None = None,
    ) -> None:
        check_weights(lambda_distill=lambda_distill)
        features = infer_feature_dim(backbone, image_shape, example_input)
        projector = BYOLProjectionHead(features, hidden_dim, projection_dim)
        super().__init__(
            backbone, projector, projection_dim, momentum_start, momentum_end
        )
        self.set_input_dims(example_input)
        self.predictor = BYOLPredictionHead(
            projection_dim, predictor_hidden_dim, projection_dim
        )
        self.lambda_distill = lambda_distill
        self.set_lambda_pnr(lambda_pnr)

    def encode(self, images: Tensor) -> Tensor:
        """Encode one view as [z | h | k], (N, ...) to (N, 3 D)."""
        z, k = super().encode(images), self.momentum_project(images)
        return torch.cat([z, self.predictor(z), k], dim=-1)

    def loss(self, output: Tensor, reduction: LossReduction = "mean") -> Tensor:
        """Sum over the views the distance of h to the other view's k."""
        _, h, k = output.chunk(3, dim=-1)
        each = byol_distance(h, k.flip(1), "none").sum(dim=1)  # (N,)
        return each.mean() if reduction == "mean" else each

    def distill_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        """Compute the distance of p to f of the same view."""
        return byol_distance(predicted, past)

    def pseudo_negative_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        """Compute the distance of p to f of the other view."""
        return byol_distance(predicted, past.flip(1))
