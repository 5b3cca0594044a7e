"""One optimizer step for several batches."""

from typing import Any

import torch
from torch import Tensor, nn

from avalanche_pnr.runs.state_checks import check_keys, check_tensor, check_type


class Accumulation:
    """Gradients and outputs of the batches of a step so far.

    The gradient of a step is the mean of the gradients of its batches. Avalanche's loop
    sets gradients to zero between batches, so they are kept here.

    Args:
        batches: Number of batches in a step.

    Attributes:
        completes_step: Whether a step follows the current batch.

    Raises:
        ValueError: If the number is below 1.
    """

    def __init__(self, batches: int) -> None:
        if batches < 1:
            raise ValueError(f"accumulate must be 1 batch or more, got {batches}")
        self.batches = batches
        self.completes_step = batches == 1
        self._gradients: dict[str, Tensor] = {}
        self._outputs: list[Tensor] = []

    def begin_batch(self, model: nn.Module, iteration: int) -> None:
        """Put back the gradients of the step so far, so that the batch adds to them.

        Args:
            model: Model with the gradients, now zero.
            iteration: Index of the batch in its experience.
        """
        index = iteration % self.batches
        self.completes_step = index == self.batches - 1
        if index == 0:  # what an experience has left over is dropped
            self._gradients, self._outputs = {}, []
        parameters = dict(model.named_parameters()) if self._gradients else {}
        for name, gradient in self._gradients.items():
            parameters[name].grad = gradient

    def keep_batch(self, model: nn.Module, output: Tensor) -> None:
        """Keep gradients and output until the next batch.

        Args:
            model: Model with the gradients.
            output: Output for the batch.
        """
        self._outputs.append(output)
        self._gradients = {
            name: parameter.grad
            for name, parameter in model.named_parameters()
            if parameter.grad is not None
        }

    def outputs(self, last: Tensor) -> Tensor:
        """Return the outputs of all images of the step, shape (N, V, E).

        Args:
            last: Output for its last batch.
        """
        return torch.cat([*self._outputs, last]) if self._outputs else last

    def state_dict(self) -> dict[str, Any]:
        """Return gradients by the names of the parameters, and outputs."""
        return {"gradients": dict(self._gradients), "outputs": list(self._outputs)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the gradients and outputs of a state.

        Raises:
            ValueError: If they do not fit.
        """
        check_keys(state, ("gradients", "outputs"), "accumulation")
        check_type(state["outputs"], "accumulated outputs", list)
        for output in state["outputs"]:
            check_tensor(output, "an accumulated output", (None, None, None))
        self._gradients = {k: v.clone() for k, v in state["gradients"].items()}
        self._outputs = list(state["outputs"])
