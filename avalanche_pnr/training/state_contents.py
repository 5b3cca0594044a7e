"""The state of objects as tensors and plain data; the existing object decides its form.

Nothing in a state names a class, a function, or an attribute that the object does not
have. :data:`ATTRIBUTES` gives the kinds of an object's attributes; those not listed
there must be numbers, truth values or text, and anything else is refused by name when
the state is taken.
"""

from collections.abc import Sequence
from typing import Any

import torch
from avalanche.evaluation import GenericPluginMetric
from avalanche.evaluation.metrics import (
    Accuracy,
    ElapsedTime,
    Forgetting,
    ForwardTransfer,
    LossMetric,
    Mean,
    RunningEpochTime,
    Sum,
    TaskAwareAccuracy,
    TaskAwareLoss,
    TopkAccuracy,
)
from avalanche.evaluation.metrics.forgetting_bwt import GenericExperienceForgetting
from avalanche.evaluation.metrics.forward_transfer import (
    GenericExperienceForwardTransfer,
)
from avalanche.training.plugins import (
    EarlyStoppingPlugin,
    EWCPlugin,
    GEMPlugin,
    LRSchedulerPlugin,
    MASPlugin,
    ReplayPlugin,
    RWalkPlugin,
    SynapticIntelligencePlugin,
)
from avalanche.training.storage_policy import (
    BalancedExemplarsBuffer,
    ClassBalancedBuffer,
    ParametricBuffer,
    ReservoirSamplingBuffer,
    _ParametricSingleBuffer,
)

from avalanche_pnr.evaluation.metrics import PluginValues, ProbeAccuracy
from avalanche_pnr.plugins import (
    DERPlugin,
    MemoryPlugin,
    OsirisPlugin,
    PastModelPlugin,
)
from avalanche_pnr.plugins.features import PastFeaturesPlugin
from avalanche_pnr.plugins.memory import Memory
from avalanche_pnr.runs.state_checks import check_keys, check_type
from avalanche_pnr.training.kinds import (
    Each,
    Images,
    Kind,
    Numbers,
    Offered,
    Pair,
    PerImage,
    PerParameter,
    Place,
    Scalar,
    Views,
    Weights,
    offered_state,
)


def encode(value: Any, place: Place) -> Any:
    """Take the state that an object offers, or its attributes.

    Args:
        value: The object.
        place: Its place.

    Raises:
        TypeError: If it holds anything that cannot be saved; the message names it.
    """
    if has_state(value):
        return offered_state(value, place.name)
    has = vars(value)
    return {
        name: kind.encode(has[name], place.within(f".{name}", value))
        for name, kind in _kinds(value).items()
    }


def decode(saved: Any, value: Any, place: Place) -> None:
    """Restore a state that :func:`encode` took.

    Args:
        saved: Supposed result of :func:`encode`.
        value: The object.
        place: Its place.

    Raises:
        ValueError: If ``saved`` does not belong there.
    """
    if has_state(value):
        value.load_state_dict(saved)
        return
    has, kinds = vars(value), _kinds(value)
    check_keys(saved, kinds, place.name)
    for name, kind in kinds.items():
        where = place.within(f".{name}", value)
        has[name] = kind.decode(saved[name], has[name], where)


def has_state(value: Any) -> bool:
    """Return whether an object has ``state_dict`` and ``load_state_dict``."""
    return hasattr(value, "state_dict") and hasattr(value, "load_state_dict")


def class_name(value: Any) -> str:
    """Name an object's class."""
    return type(value).__name__


def named_states(saved: Any, present: Sequence[Any], what: str) -> list[Any]:
    """Check and unpack states saved with the names of their objects' classes.

    Args:
        saved: Pairs of a name and a state.
        present: The current objects.
        what: Name for one of them in error messages.

    Returns:
        The states.

    Raises:
        ValueError: If they belong to objects of other classes.
    """
    check_type(saved, f"{what}s", list)
    for each in saved:
        check_type(each, f"a {what}", list, tuple)
        if len(each) != 2:
            raise ValueError(f"a {what} is {len(each)} values in the state, not 2")
        check_type(each[0], f"the name of a {what}", str)
    names = [name for name, _ in saved]
    if names != (here := [class_name(each) for each in present]):
        raise ValueError(
            f"the state is of a strategy with the {what}s {', '.join(names)}, and this "
            f"one has {', '.join(here)}: make the strategy as it was made"
        )
    return [state for _, state in saved]


class Nested(Kind):
    """An object of a class in :data:`ATTRIBUTES`, which is filled in place."""

    def encode(self, value: Any, place: Place) -> Any:
        """Encode the object's attributes."""
        if not any(cls in ATTRIBUTES for cls in type(value).__mro__):
            raise TypeError(
                f"{place.name} is a {type(value).__name__}, of which a state does not "
                f"know what to keep: leave {type(place.owner).__name__} out, or give "
                "it state_dict() and load_state_dict(state)"
            )
        return encode(value, place)

    def decode(self, saved: Any, now: Any, place: Place) -> Any:
        """Restore the current object's attributes."""
        decode(saved, now, place)
        return now


class Setting(Kind):
    """A value that training does not change, or makes anew: not part of a state."""

    def encode(self, value: Any, place: Place) -> Any:
        """Return ``None``: nothing is saved."""

    def decode(self, saved: Any, now: Any, place: Place) -> Any:
        """Return the current value."""
        return now


_NESTED, _SETTING, _SCALAR = Nested(), Setting(), Scalar()
_IMAGES, _PER_PARAMETER = Images(), PerParameter()
_MEANS = Each(_NESTED, lambda _owner: Mean())

ATTRIBUTES: dict[type, dict[str, Kind]] = {
    # Plugins of Avalanche
    EarlyStoppingPlugin: {"best_state": Weights(), "operator": _SETTING},
    EWCPlugin: {
        "saved_params": Each(_PER_PARAMETER),
        "importances": Each(_PER_PARAMETER),
    },
    GEMPlugin: {
        "memory_x": Views(),
        "memory_y": Views(torch.int64, torch.float32, like="memory_x"),
        "memory_tid": Views(torch.int64, torch.float32, like="memory_x"),
        "G": _SETTING,
    },
    LRSchedulerPlugin: {"scheduler": Offered(), "rolling_metric": _NESTED},
    MASPlugin: {"params": _PER_PARAMETER, "importance": _PER_PARAMETER},
    ReplayPlugin: {"storage_policy": _NESTED},
    RWalkPlugin: dict.fromkeys(
        (
            *("checkpoint_params", "checkpoint_loss", "checkpoint_scores"),
            *("iter_grad", "iter_importance", "iter_params", "exp_scores"),
            *("exp_params", "exp_importance", "exp_penalties"),
        ),
        _PER_PARAMETER,
    ),
    SynapticIntelligencePlugin: {
        "si_lambda": _SETTING,
        "excluded_parameters": _SETTING,
        "ewc_data": Pair(PerParameter(flat=True)),
        "syn_data": Each(
            PerParameter(flat=True, names=lambda owner: owner.ewc_data[0]), known=True
        ),
        "_device": _SETTING,
    },
    # Its memories
    BalancedExemplarsBuffer: {
        "_buffer": _SETTING,  # empty: the groups have the images
        "buffer_groups": Each(_NESTED, lambda _owner: ReservoirSamplingBuffer(0)),
    },
    ClassBalancedBuffer: {"seen_classes": Numbers()},
    ParametricBuffer: {
        "buffer_groups": Each(
            _NESTED, lambda owner: _ParametricSingleBuffer(0, owner.selection_strategy)
        ),
        "seen_groups": Numbers(),
        "selection_strategy": _SETTING,
    },
    ReservoirSamplingBuffer: {
        "_buffer": _IMAGES,
        "_buffer_weights": PerImage(lambda owner: len(owner.buffer)),
    },
    _ParametricSingleBuffer: {"_buffer": _IMAGES, "selection_strategy": _SETTING},
    # Its metrics
    Accuracy: {"_mean_accuracy": _NESTED},
    ElapsedTime: {},
    Forgetting: {"initial": Each(_SCALAR), "last": Each(_SCALAR)},
    GenericExperienceForgetting: dict.fromkeys(
        ("forgetting", "_current_metric", "stream_forgetting"), _NESTED
    ),
    ForwardTransfer: {"initial": Each(_SCALAR), "previous": Each(_SCALAR)},
    GenericExperienceForwardTransfer: dict.fromkeys(
        ("forward_transfer", "_current_metric", "stream_forward_transfer"), _NESTED
    ),
    GenericPluginMetric: {"_metric": _NESTED},
    LossMetric: {"_mean_loss": _NESTED},
    Mean: {},
    RunningEpochTime: {"_time_mean": _NESTED},
    Sum: {},
    TaskAwareAccuracy: {"_mean_accuracy": Each(_NESTED, lambda _owner: Accuracy())},
    TaskAwareLoss: {"_mean_loss": _MEANS},
    TopkAccuracy: {"_topk_acc_dict": _MEANS},
    # Of this package
    DERPlugin: {"projections": PerImage(lambda owner: len(owner.memory), dims=2)},
    Memory: {"_reservoir": _NESTED},
    MemoryPlugin: {"memory": _NESTED, "_loader": _SETTING, "_batches": _SETTING},
    OsirisPlugin: {"_recorded": _SETTING},
    PastFeaturesPlugin: {"_recorded": _SETTING},
    PastModelPlugin: {"source": _SETTING},
    PluginValues: {"_plugin": _SETTING},
    ProbeAccuracy: {"_plugin": _SETTING},
}
"""Kinds of the attributes of objects of these classes and their subclasses."""


def _kinds(value: Any) -> dict[str, Kind]:
    """Attributes that belong to an object's state, and their kinds."""
    listed: dict[str, Kind] = {}
    for cls in reversed(type(value).__mro__):
        listed |= ATTRIBUTES.get(cls, {})
    has = vars(value)
    nested = [name for name, kind in listed.items() if kind is _NESTED and name in has]
    objects = {id(has[name]) for name in nested}
    return {
        name: listed.get(name, _SCALAR)
        for name, attribute in has.items()
        if listed.get(name) is not _SETTING
        # One object may have two names.
        and (name in listed or id(attribute) not in objects)
    }
