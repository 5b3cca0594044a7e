"""MoCo v3: momentum contrast within the batch, for vision transformers."""

import torch
from lightly.models.modules.heads import ProjectionHead
from torch import Tensor, nn
from torch.nn import BatchNorm1d, ReLU
from torch.nn.functional import normalize

from avalanche_pnr.losses import LossReduction, moco_v3_distillation, moco_v3_loss
from avalanche_pnr.methods.contrastive import ContrastiveMixin, PseudoNegatives
from avalanche_pnr.methods.dry_run import infer_feature_dim
from avalanche_pnr.methods.momentum import MomentumMethod

PATCH_EMBEDDINGS = ("conv_proj", "patch_embed.proj", "patch_embeddings.projection")
"""Names of the patch embedding in torchvision, timm and transformers."""


class MoCoV3(ContrastiveMixin, MomentumMethod):
    """Contrasts predictions with the momentum keys of the other view of the batch.

    The output of a view is [z | q | k]: projection, its prediction, and the momentum
    projection. The distillation predictor receives z.

    With q of one view, k' of the other view, f and f' of the past model, and p = g(z),
    all L2-normalised, and products divided by tau in L1 and by tau_d in L2, PNR's two
    losses are, summed over the views,

    * L1_i = -2 tau log e^{q_i.k_i'} / (sum_j e^{q_i.k_j'} + sum_{j != i} e^{q_i.f_j'});
    * L2_i = -2 tau_d log e^{p_i.f_i} /
      (e^{p_i.f_i} + sum_{j != i} (e^{p_i.f_j'} + e^{p_i.k_j'})).

    No paper has PNR or CaSSLe for MoCo v3: this transfer is ours, not tuned. It takes
    the losses of :class:`MoCoV2Plus` with the other images of the batch in place of the
    queues; these and CaSSLe's bear MoCo v3's factor, so that they weigh as much beside
    the SSL loss as in MoCo V2+.

    Args:
        backbone: Maps inputs to features (N, F), without a classifier.
        hidden_dim: Width of the hidden layers of projector and predictor.
        projection_dim: Size D of a projection.
        projector_layers: Layers of the projector, 2 or more: 3 as published for
            transformers, 2 for ResNets.
        temperature: tau of the SSL loss; 0.2 for transformers, 1 for ResNets.
        distillation_temperature: tau_d of L2.
        pseudo_negatives: Which of PNR's two terms hold pseudo-negatives: ``"both"``,
            ``"loss"`` (L1 only), ``"regularizer"`` (L2 only) or ``"neither"``.
        freeze_patch_embedding: Whether the patch embedding of a transformer stays as it
            is, random or loaded, which makes training stable; ``None``, as published,
            where the backbone has one by a known name: ``conv_proj`` (torchvision),
            ``patch_embed.proj`` (timm) or ``patch_embeddings.projection``
            (transformers).
        momentum_start: Momentum of the key network at the start of an experience.
        momentum_end: Momentum at its end.
        image_shape: Channels, height and width, to find F by a dry run.
        example_input: For inputs that are no images, such as token ids (N, L) or
            windows (N, C, L), a batch of them for the dry run; ``None`` for images.

    Raises:
        ValueError: If a temperature is not positive, ``pseudo_negatives`` is unknown,
            a momentum leaves 0..1, the projector has less than 2 layers, there is no
            patch embedding to freeze, or the backbone does not return vectors.

    Source: Chen et al. 2021, arXiv 2104.02057, and the authors' code; for PNR's losses
    of MoCo V2+ Cha et al. 2024, arXiv 2306.05101.
    """

    # z, q and k come from BatchNorm: over a batch their mean square is 1.
    output_length_varies = False

    def __init__(
        self,
        backbone: nn.Module,
        *,
        hidden_dim: int = 4096,
        projection_dim: int = 256,
        projector_layers: int = 3,
        temperature: float = 0.2,
        distillation_temperature: float = 0.2,
        pseudo_negatives: PseudoNegatives = "both",
        freeze_patch_embedding: bool | None = None,
        momentum_start: float = 0.99,
        momentum_end: float = 1.0,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        example_input: Tensor | None = None,
    ) -> None:
        if projector_layers < 2:
            raise ValueError(
                f"projector_layers must be 2 or more, got {projector_layers}: 3 as "
                "published for transformers, 2 for ResNets"
            )
        features = infer_feature_dim(backbone, image_shape, example_input)
        hidden = [hidden_dim] * (projector_layers - 1)
        projector = _layers_with_norm(features, *hidden, projection_dim)
        super().__init__(
            backbone, projector, projection_dim, momentum_start, momentum_end
        )
        self.set_input_dims(example_input)
        self.predictor = _layers_with_norm(projection_dim, hidden_dim, projection_dim)
        self.set_contrast(temperature, distillation_temperature, pseudo_negatives)
        self.frozen_patch_embedding = _patch_embedding(backbone, freeze_patch_embedding)
        """Name of the frozen patch embedding in the backbone; ``None`` for none."""
        for module in self.without_gradient():
            module.requires_grad_(False)

    def without_gradient(self) -> list[nn.Module]:
        """List the momentum networks, and the patch embedding if it is frozen."""
        # By name, which holds for copies, and for another backbone in its place.
        patch_embedding = (
            module
            for name, module in self.backbone.named_modules()
            if name == self.frozen_patch_embedding
        )
        return [*super().without_gradient(), *patch_embedding]

    def encode(self, images: Tensor) -> Tensor:
        """Encode one view as [z | q | k], (N, ...) to (N, 3 D)."""
        z, k = super().encode(images), self.momentum_project(images)
        return torch.cat([z, self.predictor(z), k], dim=-1)

    def loss(self, output: Tensor, reduction: LossReduction = "mean") -> Tensor:
        """Contrast q with the other view's k, of all images of the batch."""
        q, k = _q_and_k(output)
        return moco_v3_loss(q, k, self.temperature, reduction=reduction)

    def distill_loss(self, predicted: Tensor, past: Tensor) -> Tensor:
        """Compute CaSSLe's InfoNCE, times 4 tau_d as the SSL loss, of two views."""
        factor = 4 * self.distillation_temperature
        return factor * super().distill_loss(predicted, past)

    def pnr_ssl_loss(self, output: Tensor, past: Tensor) -> Tensor:
        """Compute L1: the loss with the past outputs of other images as negatives."""
        q, k = _q_and_k(output)
        f = normalize(past, dim=-1) if self.pseudo_negatives_in_loss else None
        return moco_v3_loss(q, k, self.temperature, f)

    def pnr_distill_loss(
        self, output: Tensor, predicted: Tensor, past: Tensor
    ) -> Tensor:
        """Compute L2: p against f, negatives other f and pseudo-negatives other k."""
        _, k = _q_and_k(output)
        p, f = normalize(predicted, dim=-1), normalize(past, dim=-1)
        negatives = k if self.pseudo_negatives_in_regularizer else None
        return moco_v3_distillation(p, f, self.distillation_temperature, negatives)


def _layers_with_norm(*widths: int) -> nn.Module:
    """Make linear layers with BatchNorm, and ReLU in between.

    lightly's MoCoProjectionHead scales and shifts the last output too, which the
    authors' ``BatchNorm1d(affine=False)`` does not.
    """
    *hidden, last = widths[1:]
    blocks: list[tuple[int, int, nn.Module | None, nn.Module | None]] = [
        (before, after, BatchNorm1d(after), ReLU())
        for before, after in zip(widths, hidden, strict=False)
    ]
    blocks.append((widths[-2], last, BatchNorm1d(last, affine=False), None))
    head: nn.Module = ProjectionHead(blocks)
    return head


def _patch_embedding(backbone: nn.Module, freeze: bool | None) -> str | None:
    """Name the patch embedding that is to be frozen."""
    if freeze is False:
        return None
    names = (name for name, _ in backbone.named_modules())
    found = next((name for name in names if f".{name}".endswith(_ENDINGS)), None)
    if found is None and freeze:
        raise ValueError(
            f"freeze_patch_embedding=True finds no {', '.join(PATCH_EMBEDDINGS)} in "
            f"{type(backbone).__name__}: leave it out where there is nothing to "
            "freeze, or freeze a layer of another name yourself by "
            "layer.requires_grad_(False)"
        )
    return found


_ENDINGS = tuple(f".{name}" for name in PATCH_EMBEDDINGS)


def _q_and_k(output: Tensor) -> tuple[Tensor, Tensor]:
    """Predictions and keys in an output, L2-normalised, (N, V, D) each."""
    _, q, k = output.chunk(3, dim=-1)
    return normalize(q, dim=-1), normalize(k, dim=-1)
