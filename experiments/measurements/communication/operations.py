"""Number of operations of a process in a step of PNR."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from avalanche_pnr.methods import SelfSupervisedMethod
from avalanche_pnr.plugins import predict_past
from experiments.measurements.communication.traffic import VIEWS, without_memory


class Operations(NamedTuple):
    """Floating-point operations of a process in a step.

    Attributes:
        networks: Passes of its own images, divided between the processes.
        losses: Predictor g and losses of the whole batch, the same in every process.
    """

    networks: int
    losses: int


def operations(
    method: SelfSupervisedMethod,
    batch: int,
    processes: int,
    image_shape: tuple[int, ...] = (3, 32, 32),
) -> Operations:
    """Count the operations of a process in a step of PNR from shapes alone.

    Args:
        method: Method with its predictor g.
        batch: Number of images in a batch of all processes, N.
        processes: Number of processes, P.
        image_shape: Channels, height and width.
    """
    method = without_memory(method)
    own = torch.empty(batch // processes, VIEWS, *image_shape, device="meta")

    def networks() -> None:
        method(own).sum().backward()
        with torch.no_grad():
            method.projector(method.backbone(own.flatten(0, 1)))  # the past model

    width = method(own).shape[-1]
    output = torch.empty(batch, VIEWS, width, device="meta", requires_grad=True)
    past = torch.empty(batch, VIEWS, method.projection_dim, device="meta")

    def losses() -> None:
        predicted = predict_past(method, output)
        loss = method.pnr_ssl_loss(output, past)
        loss = loss + method.pnr_distill_loss(output, predicted, past)
        loss.backward()  # type: ignore[no-untyped-call]

    return Operations(_counted(networks), _counted(losses))


def _counted(work: Callable[[], Tensor | None]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())
