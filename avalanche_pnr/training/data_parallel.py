"""Training on several processes, each on its part of every batch."""

from inspect import signature
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.parallel import DistributedDataParallel

from avalanche_pnr.distributed import (
    check_alike,
    from_all,
    from_first,
    gather_rows,
    world_size,
)
from avalanche_pnr.evaluation.state import checksum
from avalanche_pnr.random_state import host_states, set_host_states
from avalanche_pnr.sharding import plain_loader, sharded

REPLICATED = ("EWCPlugin", "LRSchedulerPlugin")
"""Plugins of Avalanche that do the same in every process, though they do not say so."""


SYNC_BUFFERS = next(
    name
    for name in ("forward_sync_buffers", "broadcast_buffers")  # the latter is the older
    if name in signature(DistributedDataParallel).parameters
)
"""Whether buffers of the first process are sent before each step."""


class Replica:
    """The online network of this process, and the rows of the others.

    Attributes:
        images: Images of the whole batch.
    """

    def __init__(self) -> None:
        self.images = 0
        self._network: DistributedDataParallel | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {"images": self.images, "_network": None}

    def renew(self) -> None:
        """Wrap the network anew when it is next used: its parameters may be others."""
        self._network = None

    def take_batch(self, loader: Any, rows: int) -> None:
        """Note how large the whole batch is, of which this process has some rows."""
        self.images = rows if world_size() == 1 else loader.images

    def __call__(self, model: nn.Module, views: Tensor) -> Tensor:
        """Outputs of the whole batch, of this process's part of its views."""
        if world_size() == 1:
            output: Tensor = model(views)
            return output
        if self._network is None or self._network.module is not model:
            # They are the same already (queues), or averaged where they are needed.
            without_buffers: dict[str, Any] = {SYNC_BUFFERS: False}
            self._network = DistributedDataParallel(model, **without_buffers)
        return self.gather(self._network(views))

    def gather(self, rows: Tensor) -> Tensor:
        """Rows of the whole batch, of those of this process's part."""
        return gather_rows(rows)[: self.images]


class DataParallelTraining:
    """Avalanche mixin: several processes train as one would on their batches together.

    All processes run the same program. ``train_mb_size`` counts the images of all of
    them: each passes its part through the network, then outputs and labels are
    gathered. So ``mb_x`` are the process's own views, and ``mb_output``, ``mb_y``,
    losses, regularizers and queues are those of the whole batch, everywhere the same.
    """

    adapted_dataset: Any
    dataloader: Any
    device: torch.device
    experience: Any
    model: Any
    plugins: list[Any]
    train_epochs: int
    train_mb_size: int
    eval_mb_size: int
    replica: Replica

    def make_eval_dataloader(self, **kwargs: Any) -> None:
        """Make the loader of this process's part of the images.

        Args:
            **kwargs: Arguments of Avalanche's ``make_eval_dataloader``.
        """
        super().make_eval_dataloader(**kwargs)  # type: ignore[misc]
        if world_size() > 1:
            self.dataloader = sharded(plain_loader(self.dataloader))

    def _check_distributed_training_compatibility(self) -> bool:
        check_plugins(self.plugins)
        return True

    def _before_training(self, **kwargs: Any) -> None:
        self.model.to(self.device)
        if world_size() > 1:
            for tensor in self.model.state_dict().values():
                dist.broadcast(tensor, 0)
        super()._before_training(**kwargs)  # type: ignore[misc]

    def _before_training_exp(self, **kwargs: Any) -> None:
        set_host_states(from_first(host_states))
        self.replica.renew()
        super()._before_training_exp(**kwargs)  # type: ignore[misc]
        if world_size() > 1:
            check_alike(self._facts())

    def _after_training_exp(self, **kwargs: Any) -> None:
        set_host_states(from_first(host_states))
        self.average_statistics()
        super()._after_training_exp(**kwargs)  # type: ignore[misc]
        if world_size() > 1 and len(set(from_all(checksum(self.model)))) > 1:
            raise RuntimeError(
                "the networks of the processes are no longer the same: a plugin "
                "computes something on its own process's part of a batch, or draws "
                "random numbers in some of the processes only; train on one process, "
                "or without that plugin"
            )

    @torch.no_grad()
    def average_statistics(self) -> None:
        """Average the running statistics of BatchNorm over the processes.

        They are moving averages of batch statistics, and the average of the processes'
        is that of averaged batch statistics, whenever it is taken: it is needed only
        where statistics are read, not at each step. Called by all.
        """
        if world_size() == 1:
            return
        for layer in self.model.modules():
            if isinstance(layer, _NormBase) and layer.running_mean is not None:
                for statistic in (layer.running_mean, layer.running_var):
                    assert statistic is not None
                    dist.all_reduce(statistic.div_(world_size()))

    def _facts(self) -> dict[str, Any]:
        return {
            "model": type(self.model).__name__,
            "train_mb_size": self.train_mb_size,
            "eval_mb_size": self.eval_mb_size,
            "train_epochs": self.train_epochs,
            "plugins": [type(each).__name__ for each in self.plugins],
            "experience": self.experience.current_experience,
            "number of images": len(self.adapted_dataset),
            "number of batches": len(plain_loader(self.dataloader)),
        }


def check_plugins(plugins: list[Any]) -> None:
    """Refuse plugins that several processes would compute something else with.

    Raises:
        ValueError: With their names.
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
            f"{', '.join(names)} cannot be trained with on {world_size()} processes: "
            "each would compute it of its own part of a batch. Train on one process, "
            "or, if all processes do the same in it, set supports_distributed=True on "
            "the plugin"
        )


def check_world(train_mb_size: int, eval_mb_size: int | None) -> None:
    """Refuse batches of less images than there are processes.

    Raises:
        ValueError: With both numbers.
    """
    size = min(train_mb_size, eval_mb_size or train_mb_size)
    if size < world_size():
        raise ValueError(
            f"{world_size()} processes cannot share a batch of {size} images: raise "
            "the batch size or start fewer processes"
        )


def synchronise_batchnorm(model: nn.Module, device: torch.device) -> None:
    """Let BatchNorm layers use the statistics of the whole batch.

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
