"""MoCo V2+: momentum contrast with a symmetric loss."""

import torch
from lightly.models.modules import MoCoProjectionHead
from torch import Tensor, nn
from torch.nn.functional import normalize

from avalanche_pnr.losses import (
    Reduction,
    contrastive_distillation,
    moco_distillation,
    moco_loss,
)
from avalanche_pnr.methods.base import infer_feature_dim
from avalanche_pnr.methods.checks import check_temperature
from avalanche_pnr.methods.momentum import MomentumMethod
from avalanche_pnr.methods.queue import Queue


class MoCoV2Plus(MomentumMethod):
    """Queries against momentum keys of the other view and a queue of older keys.

    The output of a view is [q | k], not normalised: plugins that measure the output,
    such as MAS, need its length. Two queues of each view hold
    momentum keys (``queue``, Q) and past outputs (``past_queue``, R); PNR reads both.

    Args:
        backbone: Maps images to features (N, F).
        hidden_dim: Width of the projector's hidden layer.
        projection_dim: D.
        queue_length: K, at least one batch.
        temperature: tau of the SSL loss.
        distillation_temperature: tau_d of the terms about the past.
        momentum_start: Momentum of the key network at the start of an experience.
        momentum_end: Momentum at its end.
        image_shape: Channels, height and width, to find F by a dry run.

    Raises:
        ValueError: If a temperature is not positive, a momentum leaves 0..1, or the
            backbone does not return vectors.

    Source: Chen et al. 2020, arXiv 2003.04297; Cha et al. 2024, arXiv 2306.05101.
    """

    def __init__(
        self,
        backbone: nn.Module,
        *,
        hidden_dim: int = 2048,
        projection_dim: int = 128,
        queue_length: int = 65536,
        temperature: float = 0.2,
        distillation_temperature: float = 0.2,
        momentum_start: float = 0.99,
        momentum_end: float = 0.999,
        image_shape: tuple[int, int, int] = (3, 32, 32),
    ) -> None:
        features = infer_feature_dim(backbone, image_shape)
        projector = MoCoProjectionHead(features, hidden_dim, projection_dim)
        super().__init__(
            backbone, projector, projection_dim, momentum_start, momentum_end
        )
        self.temperature = check_temperature(temperature)
        self.distillation_temperature = check_temperature(distillation_temperature)
        self.queue = Queue(queue_length, projection_dim)
        self.past_queue = Queue(queue_length, projection_dim)

    def encode(self, images: Tensor) -> Tensor:
        """[q | k] of one view, (N, C, H, W) to (N, 2 D)."""
        q, k = self.project(images), self.momentum_project(images)
        return torch.cat([q, k], dim=-1)

    def projection(self, output: Tensor) -> Tensor:
        """The queries q, L2-normalised, (N, V, 2 D) to (N, V, D)."""
        return self._q_and_k(output)[0]

    def loss(self, output: Tensor, reduction: Reduction = "mean") -> Tensor:
        """InfoNCE of q against the other view's k, negatives Q."""
        q, k = self._q_and_k(output)
        return moco_loss(q, k, [self.queue.keys], self.temperature, reduction)

    def agree(self, predicted: Tensor, past: Tensor) -> Tensor:
        """CaSSLe: predictions and past outputs recognise each other."""
        p, f = normalize(predicted, dim=-1), normalize(past, dim=-1)
        return contrastive_distillation(p, f, self.distillation_temperature)

    def plasticity(self, output: Tensor, past: Tensor) -> Tensor:
        """L1: the loss with the past queue R beside Q."""
        q, k = self._q_and_k(output)
        queues = [self.queue.keys, self.past_queue.keys]
        return moco_loss(q, k, queues, self.temperature)

    def stability(self, output: Tensor, predicted: Tensor, past: Tensor) -> Tensor:
        """L2: p against the same view's f, negatives R and pseudo-negatives Q."""
        p, f = normalize(predicted, dim=-1), normalize(past, dim=-1)
        queues = [self.past_queue.keys, self.queue.keys]
        return moco_distillation(p, f, queues, self.distillation_temperature)

    def after_step(self, output: Tensor, step: int, total_steps: int) -> None:
        """Enqueue this batch's keys, then move the key network."""
        _, k = self._q_and_k(output)
        self.queue.enqueue(k)
        super().after_step(output, step, total_steps)

    def remember(self, past: Tensor) -> None:
        """Enqueue the past outputs into R."""
        self.past_queue.enqueue(normalize(past, dim=-1))

    def check_batch_size(self, batch_size: int) -> None:
        """Refuse batches below 2 images or above the queue's length."""
        super().check_batch_size(batch_size)
        self.queue.check_batch_size(batch_size)

    def _q_and_k(self, output: Tensor) -> tuple[Tensor, Tensor]:
        q, k = output.chunk(2, dim=-1)
        return normalize(q, dim=-1), normalize(k, dim=-1)
