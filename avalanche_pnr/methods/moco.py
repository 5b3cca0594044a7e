"""MoCo V2+: momentum contrast with a symmetric loss."""

import warnings
from collections.abc import Iterable
from typing import Literal

import torch
from lightly.models.modules import MoCoProjectionHead
from torch import Tensor, nn
from torch.nn.functional import normalize

from avalanche_pnr.losses import LossReduction, moco_distillation, moco_loss
from avalanche_pnr.methods.checks import check_choice
from avalanche_pnr.methods.contrastive import ContrastiveMixin, PseudoNegatives
from avalanche_pnr.methods.dry_run import infer_feature_dim
from avalanche_pnr.methods.momentum import MomentumMethod
from avalanche_pnr.methods.queue import Queue

PastQueueStart = Literal["random", "filled"]


class MoCoV2Plus(ContrastiveMixin, MomentumMethod):
    """Contrasts queries with momentum keys of the other view and a queue of older keys.

    The output of a view is [q | k], not normalised: plugins that measure the output,
    such as MAS, need its length. Each view has two queues, of momentum keys
    (``queue``, Q) and of past outputs (``past_queue``, R); PNR reads both.

    With q of one view, k' of the other view and Q' and R' of its queues, f of the past
    model and p = g(q), all L2-normalised, and products divided by tau in L1 and by
    tau_d in L2, PNR's two losses are

    * L1 = -log e^{q.k'} / (e^{q.k'} + sum_{n in Q'} e^{q.n} + sum_{n in R'} e^{q.n});
    * L2 = -log e^{p.f} / (e^{p.f} + sum_{n in R'} e^{p.n} + sum_{n in Q'} e^{p.n}).

    Args:
        backbone: Maps inputs to features (N, F), without a classifier.
        hidden_dim: Width of the projector's hidden layer.
        projection_dim: Size D of a projection.
        queue_length: K, at least one batch.
        temperature: tau of the SSL loss.
        distillation_temperature: tau_d of L2.
        pseudo_negatives: Which of PNR's two terms hold pseudo-negatives: ``"both"``,
            ``"loss"`` (L1 only), ``"regularizer"`` (L2 only) or ``"neither"``.
        past_queue_start: State of R when an experience begins: ``"random"``, as
            published, starts with random vectors and keeps the past outputs of earlier
            experiences; ``"filled"`` fills R by one pass of the past model over the new
            experience.
        momentum_start: Momentum of the key network at the start of an experience.
        momentum_end: Momentum at its end.
        image_shape: Channels, height and width, to find F by a dry run.
        example_input: For inputs that are no images, such as token ids (N, L) or
            windows (N, C, L), a batch of them for the dry run; ``None`` for images.

    Raises:
        ValueError: If a temperature is not positive, a choice is unknown, a momentum
            leaves 0..1, or the backbone does not return vectors.

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
        pseudo_negatives: PseudoNegatives = "both",
        past_queue_start: PastQueueStart = "random",
        momentum_start: float = 0.99,
        momentum_end: float = 0.999,
        image_shape: tuple[int, int, int] = (3, 32, 32),
        example_input: Tensor | None = None,
    ) -> None:
        check_choice("past_queue_start", past_queue_start, PastQueueStart)
        features = infer_feature_dim(backbone, image_shape, example_input)
        projector = MoCoProjectionHead(features, hidden_dim, projection_dim)
        super().__init__(
            backbone, projector, projection_dim, momentum_start, momentum_end
        )
        self.set_input_dims(example_input)
        self.set_contrast(temperature, distillation_temperature, pseudo_negatives)
        self.past_queue_start = past_queue_start
        self._has_warned = False
        self.queue = Queue(queue_length, projection_dim)
        self.past_queue = Queue(queue_length, projection_dim)

    def encode(self, images: Tensor) -> Tensor:
        """Encode one view as [q | k], (N, ...) to (N, 2 D)."""
        q, k = super().encode(images), self.momentum_project(images)
        return torch.cat([q, k], dim=-1)

    def projection(self, output: Tensor) -> Tensor:
        """Return the queries q, L2-normalised, (N, V, 2 D) to (N, V, D)."""
        return self._q_and_k(output)[0]

    def loss(self, output: Tensor, reduction: LossReduction = "mean") -> Tensor:
        """Contrast q with the other view's k; the negatives are Q."""
        q, k = self._q_and_k(output)
        return moco_loss(q, k, [self.queue.keys], self.temperature, reduction)

    def pnr_ssl_loss(self, output: Tensor, past: Tensor) -> Tensor:
        """Compute L1: the loss with the past queue R beside Q."""
        q, k = self._q_and_k(output)
        queues = [self.queue.keys]
        if self.pseudo_negatives_in_loss:
            queues.append(self.past_queue.keys)
        return moco_loss(q, k, queues, self.temperature)

    def pnr_distill_loss(
        self, output: Tensor, predicted: Tensor, past: Tensor
    ) -> Tensor:
        """Compute L2: p against f of its view, negatives R, pseudo-negatives Q."""
        p, f = normalize(predicted, dim=-1), normalize(past, dim=-1)
        queues = [self.past_queue.keys]
        if self.pseudo_negatives_in_regularizer:
            queues.append(self.queue.keys)
        return moco_distillation(p, f, queues, self.distillation_temperature)

    def after_step(self, output: Tensor, step: int, total_steps: int) -> None:
        """Enqueue this batch's keys, then move the key network."""
        _, k = self._q_and_k(output)
        self.queue.enqueue(k)
        super().after_step(output, step, total_steps)

    def enqueue_past(self, past: Tensor) -> None:
        """Enqueue the past outputs into R."""
        self.past_queue.enqueue(normalize(past, dim=-1))

    def reset_past_queue(self, past_outputs: Iterable[Tensor]) -> None:
        """Fill R, with ``past_queue_start="filled"``.

        Raises:
            FloatingPointError: If an output is not finite; R stays as it was.
        """
        if self.past_queue_start == "filled":
            outputs = torch.cat([normalize(past, dim=-1) for past in past_outputs])
            if not outputs.isfinite().all():
                raise FloatingPointError(
                    "the past model's outputs for the new experience are not finite: "
                    "look for damaged images"
                )
            self.past_queue.fill(outputs)

    def check_batch_size(self, batch_size: int) -> None:
        """Refuse batches below 2 images or above the queue's length."""
        super().check_batch_size(batch_size)
        self.queue.check_batch_size(batch_size)

    def check_experience(self, images: int) -> None:
        """Warn, once, of queues longer than the experience."""
        if images < len(self.queue) and not self._has_warned:
            self._has_warned = True
            warnings.warn(
                f"queue_length={len(self.queue)} is {len(self.queue) / images:.1f} "
                f"times the {images} images of the experience: the queues hold each "
                "image several times, as a negative of itself; a queue_length of at "
                f"most {images} (method.queue_length={images} on the command line) "
                "trains better",
                stacklevel=2,
            )

    def _q_and_k(self, output: Tensor) -> tuple[Tensor, Tensor]:
        q, k = output.chunk(2, dim=-1)
        return normalize(q, dim=-1), normalize(k, dim=-1)
