"""Plugins that cannot work, alone or together, each with the reason."""

from typing import Any

from avalanche.models.packnet import PackNetPlugin
from avalanche.training.losses import ICaRLLossPlugin, MaskedCrossEntropy
from avalanche.training.plugins import (
    BiCPlugin,
    CoPEPlugin,
    CurrentDataFeCAMUpdate,
    CurrentDataNCMUpdate,
    CWRStarPlugin,
    FeatureDistillationPlugin,
    FeCAMOracle,
    FromScratchTrainingPlugin,
    GDumbPlugin,
    GenerativeReplayPlugin,
    GSS_greedyPlugin,
    LFLPlugin,
    LRSchedulerPlugin,
    LwFPlugin,
    MemoryFeCAMUpdate,
    MemoryNCMUpdate,
    NCMOracle,
    RARPlugin,
    ReplayPlugin,
    TrainGeneratorAfterExpPlugin,
)

from avalanche_pnr.plugins import (
    CaSSLePlugin,
    CroMoMixupPlugin,
    DERPlugin,
    LessForgetPlugin,
    LUMPPlugin,
    OsirisPlugin,
    PastModelPlugin,
    PFRPlugin,
    PNRPlugin,
    WarmupCosinePlugin,
)

_CLASS_MEANS = (
    "updates class means inside the model, which has no classifier: judge features "
    "with ProbePlugin(train_data, [NearestMeanProbe()])"
)
_GENERATOR = (
    "generates images, and training needs two views of each: replay remembered images "
    "with ReplayPlugin"
)
_CLASS_SCORES = "is a loss of class scores: the loss is that of the strategy's model"

INCOMPATIBLE: dict[type, str] = {
    LwFPlugin: "distils class scores: distil embeddings with CaSSLePlugin",
    LFLPlugin: (
        "distils features through get_features() and freezes the last layer as a "
        "classifier: distil features with LessForgetPlugin"
    ),
    FeatureDistillationPlugin: (
        "reads features that a classifier left in model.features: distil features "
        "with LessForgetPlugin"
    ),
    BiCPlugin: "corrects a classifier's bias: for its memory, use ReplayPlugin",
    CoPEPlugin: (
        "replaces the loss by one of class prototypes: for its memory, use "
        "ReplayPlugin with a ClassBalancedBuffer"
    ),
    GSS_greedyPlugin: (
        "scores each image by the gradient of its own loss, and self-supervised losses "
        "compare images: use ReplayPlugin with a ReservoirSamplingBuffer"
    ),
    RARPlugin: (
        "perturbs images towards other classes by a classifier's gradient: use "
        "ReplayPlugin or MIRPlugin"
    ),
    CWRStarPlugin: (
        "keeps a classifier's weights class by class: keep weights with EWCPlugin"
    ),
    PackNetPlugin: (
        "prunes a PackNetModel for each task: keep weights with EWCPlugin or MASPlugin"
    ),
    FromScratchTrainingPlugin: (
        "restores parameters but not momentum networks, queues and running statistics: "
        "make a new model and strategy for each experience"
    ),
    ICaRLLossPlugin: _CLASS_SCORES,
    MaskedCrossEntropy: _CLASS_SCORES,
    GenerativeReplayPlugin: _GENERATOR,
    TrainGeneratorAfterExpPlugin: _GENERATOR,
    CurrentDataNCMUpdate: _CLASS_MEANS,
    MemoryNCMUpdate: _CLASS_MEANS,
    NCMOracle: _CLASS_MEANS,
    CurrentDataFeCAMUpdate: _CLASS_MEANS,
    MemoryFeCAMUpdate: _CLASS_MEANS,
    FeCAMOracle: _CLASS_MEANS,
}
"""Plugins made for classifiers, each with what to use instead."""

_TWICE = "both add the same term, which would count twice: use one"

ONE_OF: dict[tuple[type, ...], str] = {
    (PNRPlugin,): _TWICE,
    (CaSSLePlugin,): _TWICE,
    (CroMoMixupPlugin,): _TWICE,
    (DERPlugin,): _TWICE,
    (LessForgetPlugin,): _TWICE,
    (OsirisPlugin,): _TWICE,
    (PFRPlugin,): _TWICE,
    (LUMPPlugin,): (
        "both mix the batch, the second one mixtures of the first: use one with a "
        "larger mem_size"
    ),
    (ReplayPlugin, GDumbPlugin): (
        "both put a memory into the training loader, and the second undoes the first: "
        "use one with a larger mem_size"
    ),
    (LRSchedulerPlugin, WarmupCosinePlugin): (
        "both set the learning rate, and the second undoes the first: use one"
    ),
}
"""Plugins that do the same thing, each with the reason why one is enough."""


def check_compatible(plugins: list[Any]) -> None:
    """Refuse plugins that cannot work, alone or together.

    Args:
        plugins: Plugins of a strategy.

    Raises:
        TypeError: If a plugin is a class, or made for classifiers.
        ValueError: If two do the same thing, or take the past model, which they share,
            from two sources.
    """
    for plugin in plugins:
        if isinstance(plugin, type):
            name = plugin.__name__
            raise TypeError(f"{name} is a class: write {name}()")
        for kind in type(plugin).__mro__:
            if kind in INCOMPATIBLE:
                raise TypeError(f"{type(plugin).__name__} {INCOMPATIBLE[kind]}")
    for kinds, why in ONE_OF.items():
        same = [each for each in plugins if isinstance(each, kinds)]
        names = [type(each).__name__ for each in same]
        if len(names) > 1:
            raise ValueError(f"{' and '.join(names)}: {why}")
    _check_one_past(plugins)


def _check_one_past(plugins: list[Any]) -> None:
    """Refuse plugins that take the past model, which they share, from two sources."""
    sharing = [each for each in plugins if isinstance(each, PastModelPlugin)]
    if len({each.source for each in sharing}) > 1:
        each_of = (f"{type(each).__name__} ({each.source})" for each in sharing)
        raise ValueError(
            f"{' and '.join(each_of)} share one past model: give all of them the same "
            "past and ema_decay"
        )
