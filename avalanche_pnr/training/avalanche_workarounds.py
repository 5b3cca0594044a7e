"""Workarounds for faults of Avalanche 0.6.0.

Each one checks whether it is needed, and ends when the fault is fixed.
``docs/upstream`` proposes them to Avalanche, its contributions 1 (issue #1680) and 2
(issue #1531). Other faults are avoided in the modules that they concern:

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
    """Make a loader use its data set's collate function, which Avalanche ignores."""
    if isinstance(loader, DataLoader) and loader.collate_fn is default_collate:
        loader.collate_fn = dataset.collate_fn


def with_common_fields(dataset: Any) -> Any:
    """Let the batches of a data set have the fields that all its samples have.

    Memories sorted by class give their samples task labels, also where others have
    none.
    """
    dataset = copy(dataset)
    dataset.collate_fn = CommonFields(dataset.collate_fn)
    return dataset


class CommonFields:
    """A collate function for samples of which some have further fields.

    Args:
        collate: The collate function of the common fields.
    """

    def __init__(self, collate: Callable[[list[Any]], Any]) -> None:
        self.collate = collate

    def __call__(self, samples: list[Any]) -> Any:
        """Collate the common fields, such as (x, y) of samples (x, y) and (x, y, t)."""
        if isinstance(samples[0], (tuple, list)):
            fields = min(map(len, samples))
            samples = [sample[:fields] for sample in samples]
        return self.collate(samples)


def workarounds(strategy: SelfSupervised) -> list[Callable[[], object]]:
    """List functions to call when an iteration has begun, for the plugins present.

    Args:
        strategy: Strategy whose hooks before an experience have run.
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
        weights: Weights that the plugin has just noted.
    """
    for weight in weights.values():
        weight.data = weight.data.clone()
