"""Number of bytes that a process sends in a step of training."""

import copy
from typing import NamedTuple

import torch

from avalanche_pnr.methods import SelfSupervisedMethod

VIEWS = 2
LABEL = torch.long.itemsize


class Traffic(NamedTuple):
    """Bytes that each process sends in a step.

    Attributes:
        gradients: Bytes to average the gradients.
        outputs: Bytes to gather outputs of the whole batch.
        past: Bytes to gather past outputs of the whole batch.
        labels: Bytes to gather its labels.
    """

    gradients: float
    outputs: float
    past: float
    labels: float

    @property
    def total(self) -> float:
        """Sum of all."""
        return sum(self)


def traffic(
    method: SelfSupervisedMethod,
    batch: int,
    processes: int,
    image_shape: tuple[int, ...] = (3, 32, 32),
) -> Traffic:
    """Bytes that each process sends in a step of CaSSLe or PNR.

    With M parameters, batches of N images in V = 2 views, outputs of E and past outputs
    of D numbers, all of 4 bytes, and P processes that pass messages on in a ring:

    * gradients: 2 (P - 1) / P * 4 M, whatever the batch;
    * outputs: (P - 1) / P * 4 N V E;
    * past outputs: (P - 1) / P * 4 N V D;
    * labels: (P - 1) / P * 8 N.

    Finetuning sends no past outputs and has no predictor g, which counts in M.

    Args:
        method: Method with its predictor g, in float32.
        batch: Number of images in a batch of all processes, N.
        processes: Number of processes, P.
        image_shape: Channels, height and width.

    Source of the ring: Patarasuk and Yuan 2009, "Bandwidth optimal all-reduce
    algorithms for clusters of workstations".
    """
    others = (processes - 1) / processes
    parameters = sum(each.numel() * each.itemsize for each in method.parameters())
    rows = others * VIEWS * batch * torch.float32.itemsize
    return Traffic(
        gradients=2 * others * parameters,
        outputs=rows * output_width(method, image_shape),
        past=rows * method.projection_dim,
        labels=others * LABEL * batch,
    )


def output_width(method: SelfSupervisedMethod, image_shape: tuple[int, ...]) -> int:
    """Size of the output of a view, E."""
    views = torch.empty(2, VIEWS, *image_shape, device="meta")
    output: torch.Tensor = without_memory(method)(views)
    return output.shape[-1]


def without_memory(method: SelfSupervisedMethod) -> SelfSupervisedMethod:
    """Copy the method without memory, so that only shapes are computed."""
    return copy.deepcopy(method).to("meta")
