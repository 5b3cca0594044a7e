"""SimCLR: contrast within the batch."""

import torch
from lightly.models.modules import SimCLRProjectionHead
from torch import Tensor, nn
from torch.nn.functional import normalize

from avalanche_pnr.losses import LossReduction, simclr_distillation, simclr_loss
from avalanche_pnr.methods.base import SelfSupervisedMethod
from avalanche_pnr.methods.contrastive import ContrastiveMixin, PseudoNegatives
from avalanche_pnr.methods.dry_run import infer_feature_dim


class SimCLR(ContrastiveMixin, SelfSupervisedMethod):
    """Contrasts each view with the other view and all other views of the batch.

    With rows z_i of both views, z_i' of the other view, f_i of the past model and
    p_i = g(z_i), all L2-normalised, and products divided by tau in L1 and by tau_d in
    L2, PNR's two losses are

    * L1_i = -log e^{z_i.z_i'} / sum_{j != i} (e^{z_i.z_j} + e^{z_i.f_j});
    * L2_i = -log e^{p_i.f_i} /
      (e^{p_i.f_i} + sum_{j != i} (e^{p_i.f_j} + e^{p_i.z_j})).

    Args:
        backbone: Maps inputs to features (N, F), without a classifier.
        hidden_dim: Width of the projector's hidden layer.
        projection_dim: Size D of a projection.
        temperature: tau of the SSL loss.
        distillation_temperature: tau_d of L2.
        pseudo_negatives: Which of PNR's two terms hold pseudo-negatives: ``"both"``,
            ``"loss"`` (L1 only), ``"regularizer"`` (L2 only) or ``"neither"``.
        positive_in_denominator: Whether PNR's L2 keeps its positive in the
            denominator, as InfoNCE does; ``False`` is the form of the released code.
        image_shape: Channels, height and width, to find F by a dry run.
        example_input: For inputs that are no images, such as token ids (N, L) or
            windows (N, C, L), a batch of them for the dry run; ``None`` for images.

    Raises:
        ValueError: If a temperature is not positive, ``pseudo_negatives`` is unknown,
            or the backbone does not return vectors.

    Source: Chen et al. 2020, arXiv 2002.05709; Cha et al. 2024, arXiv 2306.05101.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        hidden_dim: int = 2048,
        projection_dim: int = 128,
        temperature: float = 0.2,
        distillation_temperature: float = 0.2,
        pseudo_negatives: PseudoNegatives = "both",
        positive_in_denominator: bool = True,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        example_input: Tensor | None = None,
    ) -> None:
        features = infer_feature_dim(backbone, image_shape, example_input)
        projector = SimCLRProjectionHead(
            features, hidden_dim, projection_dim, batch_norm=False
        )
        super().__init__(backbone, projector, projection_dim)
        self.set_input_dims(example_input)
        self.set_contrast(temperature, distillation_temperature, pseudo_negatives)
        self.positive_in_denominator = positive_in_denominator

    def loss(self, output: Tensor, reduction: LossReduction = "mean") -> Tensor:
        """Compute NT-Xent over the 2N rows of the batch."""
        z = normalize(output, dim=-1)
        return simclr_loss(z, self.temperature, reduction=reduction)

    def pair_loss(self, first: Tensor, second: Tensor) -> Tensor:
        """Compute the SSL loss of two embeddings of each image."""
        return self.loss(torch.stack([first, second], dim=1))

    def pnr_ssl_loss(self, output: Tensor, past: Tensor) -> Tensor:
        """Compute L1: the loss with past outputs as further negatives."""
        z, f = normalize(output, dim=-1), normalize(past, dim=-1)
        negatives = f if self.pseudo_negatives_in_loss else None
        return simclr_loss(z, self.temperature, negatives)

    def pnr_distill_loss(
        self, output: Tensor, predicted: Tensor, past: Tensor
    ) -> Tensor:
        """Compute L2: p against f, negatives other f and pseudo-negatives other z."""
        z, p, f = (normalize(each, dim=-1) for each in (output, predicted, past))
        negatives = z if self.pseudo_negatives_in_regularizer else None
        return simclr_distillation(
            p, f, self.distillation_temperature, negatives, self.positive_in_denominator
        )
