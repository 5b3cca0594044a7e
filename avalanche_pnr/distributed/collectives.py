"""Training on several processes: ranks, and collective communication between them.

On one process, or without an initialised ``torch.distributed``, everything here does
nothing. Functions marked "called by all" must be called by all processes, in the same
order.
"""

import io
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.rendezvous import rendezvous

from avalanche_pnr.distributed.rendezvous import meet

Result = TypeVar("Result")

PATIENCE = timedelta(days=7)
"""Time for which processes wait while the first one fits probes or writes."""

_alone = False
_patient_group: tuple[Any, Any] = (None, None)


class LostProcessError(ConnectionError):
    """Raised when another process of the training has died or does not answer."""


def world_size() -> int:
    """Return the number of processes that train together."""
    return dist.get_world_size() if dist.is_initialized() and not _alone else 1


def rank() -> int:
    """Return the rank of this process, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def join(device: str, timeout_minutes: float = 10, backend: str | None = None) -> None:
    """Join the processes that ``torchrun`` has started; without it, do nothing.

    Args:
        device: ``"cpu"``, or ``"cuda"``, which is a GPU of its own in each process.
        timeout_minutes: Minutes to wait for a process that does not answer.
        backend: ``"nccl"`` or ``"gloo"``; by default NCCL on GPUs, gloo on CPUs.

    Raises:
        ValueError: If the device is one that processes would have to share.
        TimeoutError: If another process does not join in time.
    """
    if not dist.is_torchelastic_launched() or dist.is_initialized():
        return
    if device not in ("cpu", "cuda"):
        raise ValueError(
            f"device={device} would be shared by all processes: write cuda, and each "
            "takes one of its own"
        )
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    backend = backend or ("nccl" if device == "cuda" else "gloo")
    timeout = timedelta(minutes=timeout_minutes)
    store, number, size = next(rendezvous("env://", timeout=timeout))
    store = meet(store, number, size, timeout)
    dist.init_process_group(
        backend, store=store, rank=number, world_size=size, timeout=timeout
    )


def leave() -> None:
    """Leave the processes in order, at the end."""
    if dist.is_initialized():
        dist.destroy_process_group()


class _Gather(torch.autograd.Function):
    """Rows of all processes, in the order of their ranks."""

    @staticmethod
    def forward(_: Any, rows: Tensor) -> Tensor:
        size = world_size()
        gathered = rows.new_empty(size * len(rows), *rows.shape[1:])
        dist.all_gather(list(gathered.chunk(size)), rows.contiguous())
        return gathered

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        # All processes compute the same loss, so each knows the gradient of its rows
        # and nothing is sent. DistributedDataParallel will average where parts of one
        # batch have to add up: hence the factor.
        return gradient.chunk(world_size())[rank()] * world_size()


def gather_rows(rows: Tensor) -> Tensor:
    """Put the rows of all processes together, with gradient; called by all.

    The gradient is right for a loss that every process computes of all rows, and for
    parameters whose gradients are averaged over the processes.

    Args:
        rows: Shape (n, ...), the same n in every process.

    Returns:
        Shape (processes * n, ...).
    """
    if world_size() == 1:
        return rows
    gathered: Tensor = _Gather.apply(rows)
    return gathered


@contextmanager
def local_only() -> Iterator[None]:
    """Communicate with no other process within a block."""
    global _alone
    before, _alone = _alone, True
    try:
        yield
    finally:
        _alone = before


def broadcast_from_rank0(compute: Callable[[], Result]) -> Result:
    """Let the first process compute something and send it to all; called by all.

    An error in it is raised by all. Tensors arrive on the GPU of each process.
    """
    if world_size() == 1:
        return compute()
    message: list[Any] = [None]
    error: Exception | None = None
    if rank() == 0:
        try:
            with local_only():
                result = compute()
            message = [_pack(result)]
        except Exception as raised:  # passed on to all, then raised
            error, message = raised, [raised]
    dist.broadcast_object_list(message, group=_patient())
    if error is not None or isinstance(message[0], Exception):
        raise error or message[0]
    return result if rank() == 0 else _unpack(message[0])


def gather_from_ranks(value: Result) -> list[Result]:
    """Gather a small value of every process, in the order of ranks; called by all."""
    if world_size() == 1:
        return [value]
    values: list[Any] = [None] * world_size()
    dist.all_gather_object(values, value, group=_patient())
    return values


def all_reduce_max(*numbers: int) -> list[int]:
    """Find the largest value of each number in any process; called by all."""
    if world_size() == 1:
        return list(numbers)
    everywhere = torch.tensor(numbers)
    dist.all_reduce(everywhere, dist.ReduceOp.MAX, group=_patient())
    return [int(number) for number in everywhere]


def assert_same_across_ranks(facts: dict[str, Any]) -> None:
    """Refuse to train with processes that were started differently; called by all.

    Args:
        facts: Values that must be the same in all processes, by name.

    Raises:
        ValueError: In every process if any differs, with each that does.
    """
    everywhere = gather_from_ranks(facts)
    first = everywhere[0]
    different = [
        f"{name} is {first.get(name)} in process 0 and {other.get(name)} in process {k}"
        for k, other in enumerate(everywhere)
        for name in sorted(first.keys() | other.keys())
        if first.get(name) != other.get(name)
    ]
    if different:
        raise ValueError(
            f"processes were started differently ({'; '.join(different)}): give all "
            "the same configuration and the same data"
        )


@contextmanager
def explain_lost_rank() -> Iterator[None]:
    """Explain an error of the backend: another process does not answer.

    Raises:
        LostProcessError: Instead of the backend's error.
    """
    try:
        yield
    except RuntimeError as error:
        lost = re.search(
            r"onnection (closed|reset|refused)|[Tt]imed out|roken pipe|NCCL", str(error)
        )
        if world_size() == 1 or not lost:
            raise
        raise LostProcessError(
            f"process {rank()} of {world_size()} has lost another one, which has died "
            f"or does not answer ({str(error).splitlines()[0]}): look for the first "
            "error above, on all machines"
        ) from error


def _patient() -> Any:
    """Group of processes that wait for each other as long as it takes."""
    global _patient_group
    world = dist.group.WORLD
    if _patient_group[0] is not world:
        _patient_group = world, dist.new_group(backend="gloo", timeout=PATIENCE)
    return _patient_group[1]


def _pack(result: Any) -> bytes:
    content = io.BytesIO()
    torch.save(result, content)
    return content.getvalue()


def _unpack(content: bytes) -> Any:
    def own(storage: Any, location: str) -> Any:
        return storage.cuda() if location.startswith("cuda") else storage

    return torch.load(io.BytesIO(content), map_location=own, weights_only=False)
