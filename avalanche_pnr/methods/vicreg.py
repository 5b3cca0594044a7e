"""VICReg: variance, invariance and covariance."""

import torch
from lightly.models.modules.heads import VICRegProjectionHead
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from avalanche_pnr.losses import LossReduction, vicreg_loss
from avalanche_pnr.methods.base import SelfSupervisedMethod
from avalanche_pnr.methods.checks import check_mean, check_weights
from avalanche_pnr.methods.dry_run import infer_feature_dim


class VICReg(SelfSupervisedMethod):
    """Makes views alike, and their dimensions vary without correlation.

    With f of the past model, f' that of the other view and p = g(z), PNR's objective is
    L_VICReg(z) + lambda_distill MSE(p, f) - lambda_pnr MSE(p, f'), see
    :meth:`SelfSupervisedMethod.pnr_distill_loss`.

    Args:
        backbone: Maps inputs to features (N, F), without a classifier.
        hidden_dim: Width of the projector's two hidden layers.
        projection_dim: Size D of a projection.
        invariance: Weight of the mean squared error.
        variance: Weight of the hinged standard deviations.
        covariance: Weight of the off-diagonal covariances.
        lambda_distill: Weight of ``distill_loss``.
        lambda_pnr: Weight of ``pseudo_negative_loss``, below ``lambda_distill``; 0
            makes PNR equal to CaSSLe.
        image_shape: Channels, height and width, to find F by a dry run.
        example_input: For inputs that are no images, such as token ids (N, L) or
            windows (N, C, L), a batch of them for the dry run; ``None`` for images.

    Raises:
        ValueError: If a weight is negative, ``lambda_pnr`` is not below
            ``lambda_distill``, or the backbone does not return vectors.

    Source: Bardes et al. 2022, arXiv 2105.04906; Cha et al. 2024, arXiv 2306.05101.
    """

    loss_is_mean_over_images = False

    def __init__(
        self,
        backbone: nn.Module,
        *,
        hidden_dim: int = 2048,
        projection_dim: int = 2048,
        invariance: float = 25.0,
        variance: float = 25.0,
        covariance: float = 1.0,
        lambda_distill: float = 25.0,
        lambda_pnr: float = 23.0,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        example_input: Tensor | None = None,
    ) -> None:
        check_weights(
            invariance=invariance,
            variance=variance,
            covariance=covariance,
            lambda_distill=lambda_distill,
        )
        features = infer_feature_dim(backbone, image_shape, example_input)
        projector = VICRegProjectionHead(features, hidden_dim, projection_dim)
        super().__init__(backbone, projector, projection_dim)
        self.set_input_dims(example_input)
        self.weights = (invariance, variance, covariance)
        self.lambda_distill = lambda_distill
        self.set_lambda_pnr(lambda_pnr)

    def set_lambda_pnr(self, lambda_pnr: float) -> None:
        """Set the weight of ``pseudo_negative_loss``.

        Raises:
            ValueError: If it is negative, or not below ``lambda_distill``.
        """
        check_weights(lambda_pnr=lambda_pnr)
        if lambda_pnr >= self.lambda_distill and lambda_pnr > 0:
            raise ValueError(
                f"lambda_pnr={lambda_pnr:g} must be below lambda_distill="
                f"{self.lambda_distill:g}: both weigh squared distances of embeddings "
                "that are not normalised, and the loss would fall without bound as "
                "they grow"
            )
        super().set_lambda_pnr(lambda_pnr)

    def loss(self, output: Tensor, reduction: LossReduction = "mean") -> Tensor:
        """Add up the three weighted terms."""
        check_mean("VICReg", reduction)
        return vicreg_loss(output[:, 0], output[:, 1], *self.weights)

    def pair_loss(self, first: Tensor, second: Tensor) -> Tensor:
        """Compute the SSL loss of two embeddings of each image."""
        return self.loss(torch.stack([first, second], dim=1))

    def distill_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        """Compute the mean squared error of p and f of the same view."""
        return mse_loss(predicted, past)

    def pseudo_negative_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        """Compute the mean squared error of p and f of the other view."""
        return mse_loss(predicted, past.flip(1))
