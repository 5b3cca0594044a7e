"""LARS: layer-wise adaptive rate scaling."""

from collections.abc import Callable
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim import Optimizer


class LARS(Optimizer):
    """SGD with momentum whose step is scaled by each tensor's |w| / |g|.

    A tensor with |w| > 0 and |g| > 0 that is not excluded is adapted:
    t = eta |w| / (|g| + wd |w| + 1e-8), with clipping t = min(t / lr, 1), and
    g <- t (g + wd w). Any other tensor keeps its gradient, without weight decay.

    Args:
        params: Parameters or parameter groups.
        lr: Learning rate.
        momentum: Factor of the accumulated gradient.
        weight_decay: wd, for adapted tensors.
        eta: Trust coefficient.
        clip: Whether the scaled rate t * lr is limited to lr.
        exclude_bias_and_norm: Whether one-dimensional tensors are not adapted.

    Raises:
        ValueError: If lr, momentum, weight_decay or eta is negative.

    Source: You et al. 2017, arXiv 1708.03888; clipping as in the LARC variant.
    """

    def __init__(
        self,
        params: Any,
        lr: float,
        *,
        momentum: float = 0.9,
        weight_decay: float = 1e-4,
        eta: float = 0.02,
        clip: bool = True,
        exclude_bias_and_norm: bool = True,
    ) -> None:
        hyperparameters = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "eta": eta,
        }
        for name, value in hyperparameters.items():
            if value < 0:
                raise ValueError(f"LARS needs {name} >= 0, got {value}")
        flags = {"clip": clip, "exclude_bias_and_norm": exclude_bias_and_norm}
        super().__init__(params, {**hyperparameters, **flags})

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter that has a gradient.

        Args:
            closure: Recomputes the loss and its gradients, if given.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if params:
                self._update(params, group)
        return loss

    def _update(self, params: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [p.grad for p in params if p.grad is not None]
        velocity = [self._velocity(p) for p in params]
        trust, decay = _rates(params, gradients, group)
        torch._foreach_mul_(velocity, group["momentum"])
        torch._foreach_addcmul_(velocity, gradients, list(trust.unbind()))
        torch._foreach_addcmul_(velocity, params, list((trust * decay).unbind()))
        torch._foreach_add_(params, velocity, alpha=-group["lr"])

    def _velocity(self, param: Tensor) -> Tensor:
        state = self.state[param]
        if "velocity" not in state:
            state["velocity"] = torch.zeros_like(param)
        velocity: Tensor = state["velocity"]
        return velocity


def _rates(
    params: list[Tensor], gradients: list[Tensor], group: dict[str, Any]
) -> tuple[Tensor, Tensor]:
    """The factors t and wd of every tensor, shape (tensors,), with no host sync."""
    w = torch.stack(torch._foreach_norm(params))
    g = torch.stack(torch._foreach_norm(gradients))
    trust = group["eta"] * w / (g + group["weight_decay"] * w + 1e-8)
    if group["clip"]:
        trust = (trust / group["lr"]).clamp(max=1) if group["lr"] > 0 else trust * 0 + 1
    adapted = (w > 0) & (g > 0)
    if group["exclude_bias_and_norm"]:
        one_dimensional = torch.tensor([p.dim() < 2 for p in params])
        adapted &= ~one_dimensional.to(adapted.device)
    trust = torch.where(adapted, trust, torch.ones_like(trust))
    decay = torch.where(adapted, group["weight_decay"], torch.zeros_like(trust))
    return trust, decay
