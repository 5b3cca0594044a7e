"""What this package needs of Avalanche that Avalanche 0.6.0 does not do.

Each cure looks whether it is needed, so it ends with the fault. ``docs/upstream``
proposes them to Avalanche, its contributions 1 (issue #1680) and 2 (issue #1531).
Where the package does otherwise as a part of something else, that part stays there:

* 3, the end of experiences on online streams: ``SelfSupervised.parts``;
* 4, random parts of a data set: ``data_incremental``;
* 5, remainder classes: ``class_incremental``;
* 6, RWalk's eval mode, and what else plugins stumble over: ``composition``;
* 7, warm-ups: ``WarmupCosinePlugin``;
* not proposed: ``WandBLogger``, ``raw_images``.
"""

import sys
from types import ModuleType
from typing import Any

import torch
from torch.utils.data import DataLoader, default_collate


class UpstreamCures:
    """Avalanche mixin for strategies, in front of the template."""

    adapted_dataset: Any
    dataloader: Any

    def make_train_dataloader(self, *args: Any, **kwargs: Any) -> None:
        """Make the loader, and let it use the data set's own collate function.

        Args:
            *args: Arguments of Avalanche's ``make_train_dataloader``.
            **kwargs: Likewise.
        """
        super().make_train_dataloader(*args, **kwargs)  # type: ignore[misc]
        loader = self.dataloader
        if isinstance(loader, DataLoader) and loader.collate_fn is default_collate:
            loader.collate_fn = self.adapted_dataset.collate_fn

    def __getstate__(self) -> object:
        # For Avalanche's save_checkpoint.
        bind_submodules(torch.optim)
        return super().__getstate__()


def bind_submodules(package: ModuleType) -> None:
    """Give a package the attributes that importing its submodules had set.

    ``torch.optim`` deletes them, so that dill, which looks classes up by attribute,
    takes its optimizers for lost and pickles them by value, with all they refer to.

    Args:
        package: The package.
    """
    for name, module in list(sys.modules.items()):
        parent, _, child = name.rpartition(".")
        if parent == package.__name__ and not hasattr(package, child):
            setattr(package, child, module)
