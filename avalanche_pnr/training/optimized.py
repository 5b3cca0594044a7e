"""The optimizer over a stream."""

from typing import Any

from torch.optim import Optimizer


class OptimizedMethod:
    """Avalanche mixin: an optimizer of a model to which plugins add parameters."""

    model: Any
    optimizer: Optimizer
    optimized_param_id: dict[str, Any] | None

    def check_model_and_optimizer(
        self, reset_optimizer_state: bool = True, **kwargs: Any
    ) -> None:
        """Adapt model and optimizer to the experience.

        Args:
            reset_optimizer_state: Whether momenta restart.
            **kwargs: Arguments of ``train``.
        """
        super().check_model_and_optimizer(  # type: ignore[misc]
            reset_optimizer_state=reset_optimizer_state, **kwargs
        )

    def make_optimizer(self, **kwargs: Any) -> None:
        """Let the optimizer hold exactly the model's trainable parameters.

        Args:
            **kwargs: Arguments of Avalanche's ``make_optimizer``.
        """
        groups = self.optimizer.param_groups
        known = {id(param) for group in groups for param in group["params"]}
        old = self.optimized_param_id or {}
        groups[0]["params"] += [
            param
            for name, param in self.model.named_parameters()
            if id(param) not in known and name not in old
        ]
        super().make_optimizer(  # type: ignore[misc]
            **{**kwargs, "remove_params": True}
        )
