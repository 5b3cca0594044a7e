"""The state of a strategy: all it needs to resume as if never interrupted."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from avalanche.training.plugins import AGEMPlugin, GDumbPlugin, MIRPlugin
from torch import Tensor

from avalanche_pnr.benchmarks.streams.stream_samples import StreamSamples
from avalanche_pnr.plugins.base import SelfSupervisedPlugin
from avalanche_pnr.reproducibility.random_state import random_state, set_random_state
from avalanche_pnr.runs.state_checks import (
    check_count,
    check_keys,
    check_plain,
    check_same_form,
    check_tensor,
    check_type,
)
from avalanche_pnr.training.evaluator_state import evaluator_state, restore_evaluator
from avalanche_pnr.training.kinds import Place, offered_state
from avalanche_pnr.training.optimizer_state import optimizer_state, restore_optimizer
from avalanche_pnr.training.state_contents import (
    class_name,
    decode,
    encode,
    has_state,
    named_states,
)

if TYPE_CHECKING:
    from avalanche_pnr.training.strategy import SelfSupervised

FORMAT = 2
"""Format of the states of this release; those of 0.1.0 have none."""

_OWN = ("model", "optimizer", "past_model")
"""Members of a strategy whose state is taken separately."""

_UNSUPPORTED: dict[type, str] = {
    AGEMPlugin: "reads its memory by an iterator",
    MIRPlugin: "reads its memory by an iterator",
    GDumbPlugin: "resets model and memory when an experience begins",
}
"""Plugins whose state cannot be saved, each with the reason."""


def strategy_state(
    strategy: SelfSupervised, samples: StreamSamples | None
) -> dict[str, Any]:
    """Take the state of a strategy; its tensors are the strategy's own, not copies.

    Args:
        strategy: The strategy.
        samples: Images of the stream, which replay buffers hold.

    Raises:
        TypeError: If a plugin holds what cannot be saved; the message names it.
    """
    place = _place(strategy, samples)
    return {
        "format": FORMAT,
        "model": strategy.model.state_dict(),
        "past_model": strategy.past_model.state_dict(),
        "optimizer": optimizer_state(strategy),
        "plugins": [
            [class_name(each), _plugin_state(strategy, each, place)]
            for each in strategy.plugins
        ],
        "components": {
            name: offered_state(each, name)
            for name, each in _components(strategy).items()
        },
        "sub_experience": strategy.sub_experience,
        "stop": getattr(strategy, "_stop_training", False),
        "loss": strategy.loss.detach(),
        "random": random_state(),
    }


def check_state(state: Any) -> None:
    """Refuse anything but the state of a strategy that this release can restore.

    Args:
        state: Supposed ``state_dict()`` of a strategy.

    Raises:
        ValueError: If it is anything else, or from another release.
    """
    if not isinstance(state, dict) or not {"model", "plugins"} <= state.keys():
        raise ValueError(
            "this is not the state of a strategy: save strategy.state_dict(), and load "
            "that"
        )
    if "format" not in state:
        raise ValueError(
            "the state was saved by version 0.1.0, which was never released: start "
            "again"
        )
    state = dict(state)
    check_plain(state, "the state")
    check_count(state["format"], "format")
    if state["format"] != FORMAT:
        raise ValueError(
            f"the state has format {state['format']}, and this release reads format "
            f"{FORMAT}: continue with the release that saved it, or start again"
        )
    check_keys(state, _STATE, "the state")
    if state["experience"] is not None:
        check_count(state["experience"], "experience")
    for name in ("batches", "seed", "sub_experience"):
        check_count(state[name], name)
    check_type(state["stop"], "stop", bool)
    check_type(state["loss"], "loss", Tensor)
    check_tensor(state["loss"], "loss", [1] * min(state["loss"].dim(), 1))


_STATE = (
    *("format", "model", "past_model", "optimizer", "plugins", "components"),
    *("sub_experience", "stop", "loss", "random", "experience", "batches", "seed"),
)
"""Keys of a state, including those that ``SelfSupervised.state_dict`` adds."""


def restore_strategy(
    strategy: SelfSupervised, state: dict[str, Any], samples: StreamSamples | None
) -> None:
    """Restore the state of a strategy made with the same arguments.

    Args:
        strategy: A strategy made with the same arguments.
        state: Result of :func:`strategy_state`, checked; it is not changed.
        samples: Images of the stream.

    Raises:
        ValueError: If it has other plugins or parameters, or a value does not belong in
            its place.
    """
    plugins = named_states(state["plugins"], strategy.plugins, "plugin")
    check_keys(state["components"], _components(strategy), "components")
    strategy.model.to(strategy.device)
    _load_weights(strategy, state)
    restore_optimizer(strategy, copy.deepcopy(state["optimizer"]))
    place = _place(strategy, samples)
    for plugin, saved in zip(strategy.plugins, plugins, strict=True):
        _restore_plugin(strategy, plugin, saved, place)
    _check_gradients(state["components"]["accumulation"], place.parameters)
    for name, each in _components(strategy).items():
        each.load_state_dict(state["components"][name])
    strategy.sub_experience = state["sub_experience"]
    strategy._stop_training = state["stop"]
    strategy.loss = state["loss"].to(strategy.device)
    set_random_state(state["random"])


def whole_stream(experience: Any) -> Iterable[Any]:
    """Return the stream that an experience, or a sub-experience, belongs to."""
    whole = getattr(experience, "origin_experience", None) or experience
    stream: Iterable[Any] = whole.origin_stream
    return stream


def _place(strategy: SelfSupervised, samples: StreamSamples | None) -> Place:
    model = strategy.model
    return Place("", None, samples, dict(model.named_parameters()), model.state_dict())


def _components(strategy: SelfSupervised) -> dict[str, Any]:
    """Further members with a state, such as the scaler of mixed precision."""
    return {
        name: each
        for name, each in vars(strategy).items()
        if name not in _OWN and has_state(each)
    }


def _load_weights(strategy: SelfSupervised, state: dict[str, Any]) -> None:
    """Load the weights of the model, with the heads of plugins, and the past model."""
    model, past_model = strategy.model, strategy.past_model
    for name in ("model", "past_model"):
        check_type(state[name], name, dict, OrderedDict)
    for plugin in strategy.plugins:
        if isinstance(plugin, SelfSupervisedPlugin):
            plugin.add_heads(model, among=state["model"])
    try:
        model.load_state_dict(state["model"])
        check_same_form(state["model"], dict(model.state_dict()), "model")
        past_model.load_state_dict(state["past_model"], model)
        check_same_form(
            state["past_model"], dict(past_model.state_dict()), "past_model"
        )
    except (RuntimeError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"the state is of another model than this strategy's ({reason}): make the "
            "model as it was made"
        ) from error


def _plugin_state(strategy: SelfSupervised, plugin: Any, place: Place) -> Any:
    name = class_name(plugin)
    if plugin is strategy.evaluator:
        return evaluator_state(plugin, place)
    for kind, why in _UNSUPPORTED.items():
        if isinstance(plugin, kind):
            raise TypeError(
                f"{name} {why}, so a training with it cannot be saved and continued: "
                "train in one go, or use ReplayPlugin"
            )
    return encode(plugin, place.within(name))


def _restore_plugin(
    strategy: SelfSupervised, plugin: Any, saved: Any, place: Place
) -> None:
    if plugin is strategy.evaluator:
        restore_evaluator(plugin, saved, place)
    else:
        decode(saved, plugin, place.within(class_name(plugin)))


def _check_gradients(saved: Any, parameters: Mapping[str, Tensor]) -> None:
    """Refuse accumulated gradients that are not of the model's parameters."""
    check_keys(saved, ("gradients", "outputs"), "accumulation")
    check_type(saved["gradients"], "accumulated gradients", dict)
    for name, gradient in saved["gradients"].items():
        if name not in parameters:
            raise ValueError(f"an accumulated gradient is of an unknown {name!r}")
        like = parameters[name]
        check_tensor(gradient, f"the gradient of {name}", like.shape, like.dtype)
