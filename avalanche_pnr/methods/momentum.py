"""Methods whose targets come from an exponential moving average of the network."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from lightly.models.utils import update_momentum
from lightly.utils.scheduler import cosine_schedule
from torch import Tensor, nn

from avalanche_pnr.methods.base import SelfSupervisedMethod


class MomentumMethod(SelfSupervisedMethod):
    """A method with a momentum copy of backbone and projector.

    After every step, w_momentum <- tau w_momentum + (1 - tau) w, with tau going from
    ``momentum_start`` to ``momentum_end`` by a cosine over each experience. The copy
    stays in train mode with the rest, and has no trainable parameters.

    Args:
        backbone: Maps inputs (N, ...) to features (N, F), without a classifier.
        projector: Maps features (N, F) to projections (N, D).
        projection_dim: Size D of a projection.
        momentum_start: tau at the first step of an experience.
        momentum_end: tau at the last step.

    Raises:
        ValueError: If the momenta are not in 0 <= start <= end <= 1.
    """

    def __init__(
        self,
        backbone: nn.Module,
        projector: nn.Module,
        projection_dim: int,
        momentum_start: float,
        momentum_end: float,
    ) -> None:
        if not 0 <= momentum_start <= momentum_end <= 1:
            raise ValueError(
                "momentum must rise within 0..1, got "
                f"{momentum_start} -> {momentum_end}"
            )
        super().__init__(backbone, projector, projection_dim)
        self.momentum_start = momentum_start
        self.momentum_end = momentum_end
        self.momentum_backbone = copy.deepcopy(backbone).requires_grad_(False)
        self.momentum_projector = copy.deepcopy(projector).requires_grad_(False)

    def without_gradient(self) -> list[nn.Module]:
        """List the modules that are state, and not trained: the momentum networks."""
        return [self.momentum_backbone, self.momentum_projector]

    def named_parameters(
        self, *args: Any, **kwargs: Any
    ) -> Iterator[tuple[str, nn.Parameter]]:
        """List the parameters without those of :meth:`without_gradient`.

        Optimizers and Avalanche's plugins (MIR, GEM, EWC) take every parameter for
        one that has a gradient.
        """
        state = {
            id(param) for each in self.without_gradient() for param in each.parameters()
        }
        named = super().named_parameters(*args, **kwargs)
        return ((name, param) for name, param in named if id(param) not in state)

    @torch.no_grad()
    def momentum_project(self, images: Tensor) -> Tensor:
        """Project one view by the momentum network, (N, ...) to (N, D)."""
        projection: Tensor = self.momentum_projector(self.momentum_backbone(images))
        return projection

    def after_step(self, output: Tensor, step: int, total_steps: int) -> None:
        """Move the momentum networks towards the online ones."""
        tau = cosine_schedule(step, total_steps, self.momentum_start, self.momentum_end)
        update_momentum(self.backbone, self.momentum_backbone, tau)
        update_momentum(self.projector, self.momentum_projector, tau)
