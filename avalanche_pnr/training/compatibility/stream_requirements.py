"""Requirements of plugins on the stream, checked before the first batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from avalanche.core import BasePlugin
from avalanche.training.plugins import (
    AGEMPlugin,
    EWCPlugin,
    GEMPlugin,
    MASPlugin,
    ReplayPlugin,
    RWalkPlugin,
)
from avalanche.training.storage_policy import ClassBalancedBuffer
from torch import Tensor

from avalanche_pnr.plugins import CroMoMixupPlugin, LUMPPlugin
from avalanche_pnr.reproducibility.random_state import preserve_random_state
from avalanche_pnr.training.checkpoint import whole_stream
from avalanche_pnr.training.compatibility.requirements import Requirement

if TYPE_CHECKING:
    from avalanche_pnr.training.strategy import SelfSupervised


def _labels(plugin: Any, strategy: SelfSupervised) -> str | None:
    """Requirement of plugins that sort their memory by class."""
    from avalanche_pnr.training.checkpoint import whole_stream

    memory = getattr(plugin, "storage_policy", None)
    by_class = isinstance(memory, ClassBalancedBuffer)
    if not by_class and getattr(memory, "groupby", None) != "class":
        return None
    for experience in whole_stream(strategy.experience):
        labels = getattr(experience.dataset, "targets", ())
        if not any(int(label) >= 0 for label in labels):
            return (
                "sorts its memory by class, and the images of experience "
                f"{experience.current_experience} have no labels: use ReplayPlugin "
                "with its default memory or a ReservoirSamplingBuffer"
            )
    return None


def _samples_with_labels(_plugin: Any, strategy: SelfSupervised) -> str | None:
    with preserve_random_state():
        sample = strategy.experience.dataset[0]
    if not isinstance(sample, Tensor) and len(sample) > 1:
        return None
    return (
        "reads samples (x, y) from the data set, and this one has images alone: let "
        "unlabelled samples be (x, -1)"
    )


def _mixable_views(_plugin: Any, strategy: SelfSupervised) -> str | None:
    with preserve_random_state():
        sample = strategy.experience.dataset[0]
    views = sample if isinstance(sample, Tensor) else sample[0]
    if not isinstance(views, Tensor) or views.is_floating_point():
        return None
    return (
        f"mixes views, and these are of {views.dtype}, of which there are no mixtures: "
        "replay them as they are, with ReplayPlugin, DERPlugin or OsirisPlugin"
    )


def _share_of_the_sample(plugin: Any, strategy: SelfSupervised) -> str | None:
    stream = list(whole_stream(strategy.experience))
    experiences = max(len(plugin.buffers) + 1, len(stream) * strategy.sub_experiences)
    if plugin.sample_size >= experiences:
        return None
    return (
        f"shares sample_size={plugin.sample_size} among {experiences} experiences, "
        f"which leaves none to some: raise it to {experiences} or more"
    )


def _tasks(plugin: Any, strategy: SelfSupervised) -> str | None:
    by_task = getattr(plugin.storage_policy, "groupby", None) == "task"
    balanced = by_task or plugin.task_balanced_dataloader
    if not balanced or hasattr(strategy.experience.dataset, "task_set"):
        return None
    return (
        "is to balance over tasks, and this stream's data sets have no task_set: leave "
        "task_balanced_dataloader=False and take its default memory, which is balanced "
        "over experiences"
    )


def _interval_of_scores(plugin: Any, strategy: SelfSupervised) -> str | None:
    images = len(strategy.experience.dataset)
    steps = max(images // strategy.train_mb_size, 1) * strategy.train_epochs
    if plugin.exp_scores is not None or steps >= plugin.delta_t:
        return None
    return (
        f"scores parameters every delta_t={plugin.delta_t} steps, and an experience "
        f"has {steps}: without scores its penalty is 0/0; lower delta_t to {steps} or "
        "less"
    )


STREAM_REQUIREMENTS: dict[type, tuple[Requirement, ...]] = {
    BasePlugin: (_labels,),
    CroMoMixupPlugin: (_mixable_views,),
    AGEMPlugin: (_samples_with_labels, _share_of_the_sample),
    EWCPlugin: (_samples_with_labels,),
    GEMPlugin: (_samples_with_labels,),
    LUMPPlugin: (_mixable_views,),
    MASPlugin: (_samples_with_labels,),
    ReplayPlugin: (_tasks,),
    RWalkPlugin: (_interval_of_scores,),
}


def check_memory_batches(strategy: SelfSupervised) -> None:
    """Refuse a memory smaller than a batch, as incomplete batches are dropped.

    Args:
        strategy: Strategy that drops incomplete batches.

    Raises:
        ValueError: If one is, with the sizes and a remedy.
    """
    for plugin in strategy.plugins:
        if not isinstance(plugin, ReplayPlugin):
            continue
        memory = plugin.storage_policy
        images = len(memory.buffer) or min(
            memory.max_size, len(strategy.experience.dataset)
        )
        batch = plugin.batch_size_mem or strategy.train_mb_size
        if images < batch:
            raise ValueError(
                f"{type(plugin).__name__} remembers {images} images, fewer than the "
                f"{batch} it is to add to each batch, and incomplete batches are "
                "dropped, so none would ever be replayed: raise mem_size, lower "
                "batch_size_mem, or train(..., drop_last=False)"
            )
