"""What this package needs of Avalanche that Avalanche 0.6.0 does not do.

Each workaround looks whether it is needed, so it ends with the fault. ``docs/upstream``
proposes them to Avalanche, its contributions 1 (issue #1680) and 2 (issue #1531).
Where the package does otherwise as a part of something else, that stays there:

* 3, the end of experiences on online streams: ``SelfSupervised.sub_experiences``;
* 4, random parts of a data set: ``data_incremental``;
* 5, remainder classes: ``class_incremental``;
* 6, plugins that leave the model in eval mode: ``SelfSupervised.training_epoch``;
* 7, warm-ups: ``WarmupCosinePlugin``;
* not proposed: ``WandBLogger``, ``raw_images``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import copy
from functools import partial
from types import ModuleType
from typing import TYPE_CHECKING, Any

from avalanche.training.plugins import SynapticIntelligencePlugin
from avalanche.training.utils import ParamData
from torch.utils.data import DataLoader, default_collate

if TYPE_CHECKING:
    from avalanche_pnr.training.strategy import SelfSupervised


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


def use_collate_fn(loader: Any, dataset: Any) -> None:
    """Let a loader use its data set's own collate function, which Avalanche ignores."""
    if isinstance(loader, DataLoader) and loader.collate_fn is default_collate:
        loader.collate_fn = dataset.collate_fn


def with_common_fields(dataset: Any) -> Any:
    """A data set whose batches have the fields that all of its samples have.

    Memories sorted by class give samples task labels, whether others have them or not.
    """
    dataset = copy(dataset)
    dataset.collate_fn = CommonFields(dataset.collate_fn)
    return dataset


class CommonFields:
    """A collate function for samples some of which have further fields.

    Args:
        collate: The collate function of what all samples have.
    """

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, samples: list[Any]) -> Any:
        """Collate (x, y) of samples (x, y) and (x, y, t), say."""
        if isinstance(samples[0], (tuple, list)):
            fields = min(map(len, samples))
            samples = [sample[:fields] for sample in samples]
        return self.collate(samples)


def workarounds(strategy: SelfSupervised) -> list[Callable[[], object]]:
    """What to do when an iteration has begun, for the plugins that are there.

    Args:
        strategy: Whose hooks that begin an experience have run.
    """
    plugins = [
        each
        for each in strategy.plugins
        if isinstance(each, SynapticIntelligencePlugin)
    ]
    for plugin in plugins:
        copy_noted_weights(plugin.ewc_data[0])
    return [partial(_copy_old_weights, each) for each in plugins]


def _copy_old_weights(plugin: SynapticIntelligencePlugin) -> None:
    copy_noted_weights(plugin.syn_data["old_theta"])


def copy_noted_weights(weights: dict[str, ParamData]) -> None:
    """Let Synaptic Intelligence note copies of the weights.

    On the CPU its ``param.detach().cpu()`` is the weight itself, which then seems to
    have moved by 0 in each step, so that there is no penalty.

    Args:
        weights: What the plugin has just noted.
    """
    for weight in weights.values():
        weight.data = weight.data.clone()
