"""Training on several processes, each on its shard of every batch."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parallel import DistributedDataParallel

from avalanche_pnr.distributed.collectives import (
    assert_same_across_ranks,
    broadcast_from_rank0,
    gather_from_ranks,
    gather_rows,
    world_size,
)
from avalanche_pnr.distributed.sharding import plain_loader
from avalanche_pnr.evaluation.state import checksum
from avalanche_pnr.reproducibility.random_state import host_states, set_host_states

if TYPE_CHECKING:
    from avalanche_pnr.training.strategy import SelfSupervised

REPLICATED = ("EWCPlugin", "LRSchedulerPlugin")
"""Avalanche's plugins that do the same in every process but do not declare it."""


SYNC_BUFFERS = next(
    name
    for name in ("forward_sync_buffers", "broadcast_buffers")  # the latter is the older
    if name in signature(DistributedDataParallel).parameters
)
"""Argument of DDP that sends buffers of the first process before each step."""


class DistributedForward:
    """The forward pass of several processes, which train as one on the whole batch.

    All processes run the same program. Each passes its shard of a batch through the
    network, then outputs and labels are gathered: so ``mb_x`` are the process's own
    views, while ``mb_output``, ``mb_y``, losses, regularizers and queues are those of
    the whole batch, the same everywhere. The network is wrapped at its first use, with
    the parameters that it has then.

    Attributes:
        images: Number of images in the whole batch.
    """

    def __init__(self) -> None:
        self.images = 0
        self._network: DistributedDataParallel | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"images": self.images, "_network": None}

    def begin_batch(self, loader: Any, fields: list[Tensor]) -> list[Tensor]:
        """Note the size of the whole batch and gather its labels.

        Args:
            loader: Loader of the batch.
            fields: Views, labels and further fields of this process's shard.

        Returns:
            This process's views; labels and further fields of the whole batch.
        """
        self.images = loader.images
        return [fields[0], *map(self.gather, fields[1:])]

    def __call__(self, model: nn.Module, views: Tensor) -> Tensor:
        """Compute outputs of the whole batch from this process's shard of views."""
        if self._network is None or self._network.module is not model:
            # They are the same already (queues), or averaged where they are needed.
            without_buffers: dict[str, Any] = {SYNC_BUFFERS: False}
            self._network = DistributedDataParallel(model, **without_buffers)
        return self.gather(self._network(views))

    def gather(self, rows: Tensor) -> Tensor:
        """Gather the rows of the whole batch from those of each process's shard."""
        return gather_rows(rows)[: self.images]


def share_weights(model: nn.Module) -> None:
    """Give all processes the weights of the first; called by all."""
    if world_size() > 1:
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, 0)


def share_random_state() -> None:
    """Give all processes the random state of the first; called by all."""
    set_host_states(broadcast_from_rank0(host_states))


@torch.no_grad()
def average_statistics(model: nn.Module) -> None:
    """Average the running statistics of BatchNorm over the processes; called by all.

    Running statistics are moving averages, and averaging over processes commutes with
    that: it is needed only where statistics are read, not at each step.
    """
    if world_size() == 1:
        return
    for layer in model.modules():
        if isinstance(layer, _NormBase) and layer.running_mean is not None:
            for statistic in (layer.running_mean, layer.running_var):
                assert statistic is not None
                dist.all_reduce(statistic.div_(world_size()))


def check_same_experience(strategy: SelfSupervised) -> None:
    """Refuse to train if processes train different experiences; called by all.

    Raises:
        ValueError: If they do, with what differs.
    """
    if world_size() > 1:
        assert_same_across_ranks(
            {
                "model": type(strategy.model).__name__,
                "train_mb_size": strategy.train_mb_size,
                "eval_mb_size": strategy.eval_mb_size,
                "train_epochs": strategy.train_epochs,
                "plugins": [type(each).__name__ for each in strategy.plugins],
                "experience": strategy.experience.current_experience,
                "number of images": len(strategy.adapted_dataset),
                "number of batches": len(plain_loader(strategy.dataloader)),
            }
        )


def check_same_weights(model: nn.Module) -> None:
    """Refuse to go on if networks have drifted apart; called by all.

    Raises:
        RuntimeError: If they are no longer equal.
    """
    if world_size() > 1 and len(set(gather_from_ranks(checksum(model)))) > 1:
        raise RuntimeError(
            "the networks of the processes are no longer the same: a plugin "
            "computes something on its own process's shard of a batch, or draws "
            "random numbers in some of the processes only; train on one process, "
            "or without that plugin"
        )


def check_supports_distributed(plugins: list[Any]) -> None:
    """Refuse plugins whose results would differ on several processes.

    Raises:
        ValueError: If there are any, with their names.
    """
    if world_size() == 1:
        return
    names = [
        type(each).__name__
        for each in plugins
        if not getattr(each, "supports_distributed", False)
        and type(each).__name__ not in REPLICATED
    ]
    if names:
        raise ValueError(
            f"{', '.join(names)} cannot be used on {world_size()} processes: each "
            "would compute it from its own shard of a batch. Train on one process, "
            "or, if all processes do the same in it, set supports_distributed=True on "
            "the plugin"
        )


def check_world(train_mb_size: int, eval_mb_size: int | None) -> None:
    """Refuse batches with fewer images than there are processes.

    Raises:
        ValueError: If there are fewer, with both numbers.
    """
    size = min(train_mb_size, eval_mb_size or train_mb_size)
    if size < world_size():
        raise ValueError(
            f"{world_size()} processes cannot share a batch of {size} images: raise "
            "the batch size or start fewer processes"
        )


def synchronise_batchnorm(model: nn.Module, device: torch.device) -> None:
    """Make BatchNorm layers use the statistics of the whole batch.

    Raises:
        ValueError: On the CPU, where PyTorch has no such layer.
    """
    if device.type == "cpu":
        raise ValueError(
            "sync_batchnorm needs GPUs: PyTorch has no synchronised BatchNorm on the "
            "CPU"
        )
    if world_size() > 1:
        nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
