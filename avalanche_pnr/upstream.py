"""What this package needs of Avalanche that Avalanche 0.6.0 does not do.

Each cure is proposed to Avalanche in ``docs/upstream``, and does nothing where
Avalanche or PyTorch do without it. Work-arounds that are a part of something else stay
there: ``SelfSupervised.parts`` (is_last_subexp), ``WarmupCosinePlugin`` (warm-ups),
``class_incremental`` (remainder classes), ``WandBLogger``, ``raw_images``.
"""

import sys
from types import ModuleType
from typing import Any

import torch
from avalanche.benchmarks.utils.data_loader import collate_from_data_or_kwargs


class UpstreamCures:
    """Avalanche mixin for strategies, in front of the template."""

    adapted_dataset: Any

    def _obtain_common_dataloader_parameters(self, **kwargs: Any) -> dict[str, Any]:
        # Without task labels, training ignores the data set's own collate function.
        parameters: dict[str, Any] = super()._obtain_common_dataloader_parameters(  # type: ignore[misc]
            **kwargs
        )
        collate_from_data_or_kwargs(self.adapted_dataset, parameters)
        return parameters

    def __getstate__(self) -> object:
        # save_checkpoint: Avalanche issue #1680.
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
