"""One optimizer step for several batches, with scaled losses where float16 needs it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from avalanche.training.templates.update_type import SGDUpdate
from torch import Tensor, nn

from avalanche_pnr.state_checks import check_keys, check_tensor, check_type


class Accumulation:
    """Gradients and outputs of the batches of a step so far.

    Args:
        batches: Of a step.

    Raises:
        ValueError: If there is none.
    """

    def __init__(self, batches: int) -> None:
        if batches < 1:
            raise ValueError(f"accumulate must be 1 batch or more, got {batches}")
        self.batches = batches
        self._gradients: dict[str, Tensor] = {}
        self._outputs: list[Tensor] = []

    def resume(self, model: nn.Module, batch: int) -> None:
        """Let the gradients of a batch add up with those of its step so far.

        Args:
            model: Whose gradients they are, now zero.
            batch: Index of the batch in its step.
        """
        if batch == 0:  # what an experience has left over is dropped
            self._gradients, self._outputs = {}, []
            return
        parameters = dict(model.named_parameters())
        for name, gradient in self._gradients.items():
            parameters[name].grad = gradient

    def keep(self, model: nn.Module) -> None:
        """Keep the gradients until the next batch."""
        self._gradients = {
            name: parameter.grad
            for name, parameter in model.named_parameters()
            if parameter.grad is not None
        }

    def add_output(self, output: Tensor) -> None:
        """Keep a batch's output for the end of the step."""
        self._outputs.append(output)

    def outputs(self) -> Tensor:
        """Outputs of all images of the step, (N, V, E)."""
        return torch.cat(self._outputs) if self.batches > 1 else self._outputs[0]

    def state_dict(self) -> dict[str, Any]:
        """Gradients by the names of the parameters, and outputs."""
        return {"gradients": dict(self._gradients), "outputs": list(self._outputs)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on with those of a state.

        Raises:
            ValueError: If they are something else.
        """
        check_keys(state, ("gradients", "outputs"), "accumulation")
        check_type(state["outputs"], "accumulated outputs", list)
        for output in state["outputs"]:
            check_tensor(output, "an accumulated output", (None, None, None))
        self._gradients = {k: v.clone() for k, v in state["gradients"].items()}
        self._outputs = list(state["outputs"])


class AccumulatedUpdate(SGDUpdate):
    """Avalanche mixin: a step follows ``accumulation.batches`` batches.

    Its gradient is the mean of theirs. Hooks of a batch are called for each batch, and
    those about gradients and step (``after_backward``, ``before_update``,
    ``after_update``) once a step, when the gradient is whole and unscaled.

    Attributes:
        accumulation: What the batches of a step have in common.
        scaler: Scales losses in float16, and does nothing otherwise.
    """

    accumulation: Accumulation
    scaler: torch.amp.GradScaler
    model: Any
    optimizer: Any
    clock: Any
    loss: Tensor
    mb_output: Tensor
    retain_graph: bool

    @property
    def completes_step(self) -> bool:
        """Whether a step follows the present batch."""
        return self._batch_of_step == self.accumulation.batches - 1

    @property
    def _batch_of_step(self) -> int:
        return int(self.clock.train_exp_iterations % self.accumulation.batches)

    def follow_step(self, outputs: Tensor) -> None:
        """What a method does after a step.

        Args:
            outputs: Of all images of the step, without gradient, shape (N, V, E).
        """

    def backward(self) -> None:
        """Add the batch's part to the gradient."""
        loss = self.scaler.scale(self.loss / self.accumulation.batches)
        loss.backward(retain_graph=self.retain_graph)  # type: ignore[no-untyped-call]
        if self.completes_step:
            self.scaler.unscale_(self.optimizer)

    def optimizer_step(self) -> None:
        """Step, when the gradient is whole.

        Raises:
            FloatingPointError: If gradients are not finite at any scale of the loss.
        """
        if not self.completes_step:
            self.accumulation.keep(self.model)
            return
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scaler.get_scale() < 1 / 256:
            raise FloatingPointError(
                "gradients are not finite however small the loss is scaled: use "
                "precision bfloat16 or float32, lower the learning rate, or look for "
                "damaged images"
            )

    @contextmanager
    def reset_scaler_on_error(self) -> Iterator[None]:
        """Let the scaler forget, where a block fails, that it unscaled gradients."""
        try:
            yield
        except FloatingPointError:
            self.scaler.update(self.scaler.get_scale())
            raise

    def _before_forward(self, **kwargs: Any) -> None:
        self.accumulation.resume(self.model, self._batch_of_step)
        super()._before_forward(**kwargs)

    def _after_backward(self, **kwargs: Any) -> None:
        if self.completes_step:
            super()._after_backward(**kwargs)

    def _before_update(self, **kwargs: Any) -> None:
        if self.completes_step:
            super()._before_update(**kwargs)

    def _after_update(self, **kwargs: Any) -> None:
        self.accumulation.add_output(self.mb_output.detach())
        if self.completes_step:
            super()._after_update(**kwargs)
            self.follow_step(self.accumulation.outputs())
