"""The state of a strategy: all it needs to go on as if nothing had happened."""

import copy
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np
from avalanche.training.plugins import AGEMPlugin, GDumbPlugin, MIRPlugin
from torch import Tensor

from avalanche_pnr.benchmarks.stream_samples import StreamSamples
from avalanche_pnr.distributed import rank
from avalanche_pnr.random_state import random_state, set_random_state
from avalanche_pnr.state_checks import (
    check_alike,
    check_count,
    check_keys,
    check_plain,
    check_tensor,
    check_type,
)
from avalanche_pnr.training.kinds import Place, offered_state
from avalanche_pnr.training.plain import decode, encode

FORMAT = 2
"""Of the states that this release takes and restores; those of 0.1.0 have none."""

_OWN = ("model", "optimizer", "past_model")
"""Parts of a strategy whose state is taken in a way of their own."""
_UNSAVED: dict[type, str] = {
    AGEMPlugin: "reads its memory by an iterator",
    MIRPlugin: "reads its memory by an iterator",
    GDumbPlugin: "makes model and memory anew when an experience begins",
}
"""Plugins whose state cannot be taken from them, each with why."""


def strategy_state(strategy: Any, samples: StreamSamples | None) -> dict[str, Any]:
    """Take the state of a strategy; its tensors are the strategy's own, no copies.

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
        "optimizer": _optimizer_state(strategy),
        "plugins": [
            [_name(each), _plugin_state(strategy, each, place)]
            for each in strategy.plugins
        ],
        "parts": {
            name: offered_state(part, name) for name, part in _parts(strategy).items()
        },
        "part": strategy.part,
        "stop": getattr(strategy, "_stop_training", False),
        "loss": strategy.loss.detach(),
        "random": random_state(),
    }


def check_state(state: Any) -> None:
    """Refuse what is no state of a strategy that this release can restore.

    Args:
        state: What should be a strategy's ``state_dict()``.

    Raises:
        ValueError: If it is something else, or of another release.
    """
    if not isinstance(state, dict) or not {"model", "plugins"} <= state.keys():
        raise ValueError(
            "this is no state of a strategy: save strategy.state_dict(), and load that"
        )
    if "format" not in state:
        raise ValueError(
            "the state was saved by version 0.1.0, which was never released: begin anew"
        )
    if state["format"] != FORMAT:
        raise ValueError(
            f"the state has format {state['format']!r}, and this release reads format "
            f"{FORMAT}: continue with the release that saved it, or begin anew"
        )
    state = dict(state)
    check_plain(state, "the state")
    check_keys(state, _STATE, "the state")
    if state["experience"] is not None:
        check_count(state["experience"], "experience")
    for name in ("batches", "seed", "part"):
        check_count(state[name], name)
    check_type(state["stop"], "stop", bool)
    check_type(state["loss"], "loss", Tensor)
    check_tensor(state["loss"], "loss", [1] * min(state["loss"].dim(), 1))


_STATE = (
    *("format", "model", "past_model", "optimizer", "plugins", "parts", "part"),
    *("stop", "loss", "random", "experience", "batches", "seed"),
)
"""What a state holds, with what :class:`ResumableTraining` adds."""


def restore_strategy(
    strategy: Any, state: dict[str, Any], samples: StreamSamples | None
) -> None:
    """Give a strategy the state that another of the same kind was in.

    Args:
        strategy: A strategy made with the same arguments.
        state: What :func:`strategy_state` returned, checked; it is not changed.
        samples: Images of the stream.

    Raises:
        ValueError: If it has other plugins or parameters, or a value is not what
            belongs in its place.
    """
    plugins = _states_of(state["plugins"], strategy.plugins, "plugin")
    check_keys(state["parts"], _parts(strategy), "parts")
    strategy.model.to(strategy.device)
    _load_weights(strategy, state)
    _restore_optimizer(strategy, copy.deepcopy(state["optimizer"]))
    place = _place(strategy, samples)
    for plugin, saved in zip(strategy.plugins, plugins, strict=True):
        _restore_plugin(strategy, plugin, saved, place)
    _check_gradients(state["parts"]["accumulation"], place.parameters)
    for name, part in _parts(strategy).items():
        part.load_state_dict(state["parts"][name])
    strategy.part = state["part"]
    strategy._stop_training = state["stop"]
    strategy.loss = state["loss"].to(strategy.device)
    set_random_state(state["random"])


def whole_stream(experience: Any) -> Iterable[Any]:
    """The stream that an experience, or the part of one, belongs to."""
    whole = getattr(experience, "origin_experience", None) or experience
    stream: Iterable[Any] = whole.origin_stream
    return stream


def _place(strategy: Any, samples: StreamSamples | None) -> Place:
    model = strategy.model
    return Place("", None, samples, dict(model.named_parameters()), model.state_dict())


def _parts(strategy: Any) -> dict[str, Any]:
    """Further parts with a state, scalers of mixed precision for example."""
    return {
        name: part
        for name, part in vars(strategy).items()
        if name not in _OWN and _has_state(part)
    }


def _has_state(value: Any) -> bool:
    """Whether an object offers and takes its state itself."""
    return hasattr(value, "state_dict") and hasattr(value, "load_state_dict")


def _name(value: Any) -> str:
    return type(value).__name__


def _states_of(saved: Any, present: Sequence[Any], what: str) -> list[Any]:
    """States of objects, which were saved with the names of their classes."""
    check_type(saved, f"{what}s", list)
    for each in saved:
        check_type(each, f"a {what}", list, tuple)
        if len(each) != 2:
            raise ValueError(f"a {what} is {len(each)} values in the state, not 2")
        check_type(each[0], f"the name of a {what}", str)
    names = [name for name, _ in saved]
    if names != (here := [_name(each) for each in present]):
        raise ValueError(
            f"the state is of a strategy with the {what}s {', '.join(names)}, and this "
            f"one has {', '.join(here)}: make the strategy as it was made"
        )
    return [state for _, state in saved]


def _load_weights(strategy: Any, state: dict[str, Any]) -> None:
    """Those of the model and of the past one, which have the heads of plugins."""
    model, past_model = strategy.model, strategy.past_model
    for name in ("model", "past_model"):
        check_type(state[name], name, dict, OrderedDict)
    try:
        model.load_state_dict(state["model"])
        check_alike(state["model"], dict(model.state_dict()), "model")
        past_model.load_state_dict(state["past_model"], model)
        check_alike(state["past_model"], dict(past_model.state_dict()), "past_model")
    except (RuntimeError, AttributeError, TypeError) as error:
        raise ValueError(
            f"the state is of another model than this strategy's ({error}): make the "
            "model as it was made"
        ) from error


def _plugin_state(strategy: Any, plugin: Any, place: Place) -> Any:
    name = _name(plugin)
    if plugin is strategy.evaluator:
        return _evaluator_state(plugin, place)
    if _has_state(plugin):
        return offered_state(plugin, name)
    for kind, why in _UNSAVED.items():
        if isinstance(plugin, kind):
            raise TypeError(
                f"{name} {why}, so a training with it cannot be saved and continued: "
                "train in one go, or use ReplayPlugin"
            )
    return encode(plugin, place.within(name))


def _restore_plugin(strategy: Any, plugin: Any, saved: Any, place: Place) -> None:
    if plugin is strategy.evaluator:
        _restore_evaluator(plugin, saved, place)
    elif _has_state(plugin):
        plugin.load_state_dict(saved)
    else:
        decode(saved, plugin, place.within(_name(plugin)))


def _evaluator_state(evaluator: Any, place: Place) -> dict[str, Any]:
    """Metrics as far as they have got; loggers that offer their state."""
    last, every = evaluator.last_metric_results, evaluator.all_metric_results
    return {
        "metrics": [
            [_name(each), encode(each, place.within(str(each)))]
            for each in evaluator.metrics
        ],
        "last": {k: _number(v) for k, v in last.items() if isinstance(v, Real)},
        "all": {
            name: (list(steps), [_number(each) for each in values])
            for name, (steps, values) in every.items()
            if isinstance(values[-1], Real)
        },
        "loggers": [
            [_name(each), offered_state(each, _name(each))]
            for each in _loggers(evaluator)
        ],
    }


def _number(value: Any) -> Any:
    """A number as plain data: numpy's are none."""
    return value.item() if isinstance(value, np.generic) else value


def _restore_evaluator(evaluator: Any, saved: Any, place: Place) -> None:
    check_keys(saved, ("metrics", "last", "all", "loggers"), "evaluator")
    metrics = _states_of(saved["metrics"], evaluator.metrics, "metric")
    for metric, metric_state in zip(evaluator.metrics, metrics, strict=True):
        decode(metric_state, metric, place.within(str(metric)))
    _check_results(saved["last"], saved["all"])
    evaluator.last_metric_results = dict(saved["last"])
    evaluator.all_metric_results.clear()
    evaluator.all_metric_results.update(copy.deepcopy(saved["all"]))
    if rank() > 0:  # only the first of several processes logs
        return
    loggers = _states_of(saved["loggers"], _loggers(evaluator), "logger")
    for logger, logger_state in zip(_loggers(evaluator), loggers, strict=True):
        logger.load_state_dict(logger_state)


def _check_results(last: Any, every: Any) -> None:
    """Values of metrics by their names: the last ones, and all with their steps."""
    check_type(last, "last results", dict)
    check_type(every, "results", dict)
    for name, value in last.items():
        check_type(name, "the name of a result", str)
        check_type(value, name, bool, int, float)
    for name, curve in every.items():
        check_type(name, "the name of a result", str)
        check_type(curve, name, list, tuple)
        if len(curve) != 2:
            raise ValueError(f"{name} has {len(curve)} lists in the state, not 2")
        steps, values = curve
        for each in curve:
            check_type(each, name, list)
        if len(steps) != len(values):
            raise ValueError(f"{name} has another number of steps than of values")
        for step, value in zip(steps, values, strict=True):
            check_count(step, name)
            check_type(value, name, bool, int, float)


def _loggers(evaluator: Any) -> list[Any]:
    return [each for each in evaluator.loggers if _has_state(each)]


def _optimizer_state(strategy: Any) -> dict[str, Any]:
    """The optimizer's state by the names of the parameters, in whatever order."""
    state, names = strategy.optimizer.state_dict(), _optimized_names(strategy)
    flat = [name for group in names for name in group]
    return {
        "state": {flat[index]: each for index, each in state["state"].items()},
        "groups": [
            {**group, "params": group_names}
            for group, group_names in zip(state["param_groups"], names, strict=True)
        ],
    }


def _restore_optimizer(strategy: Any, saved: Any) -> None:
    strategy.make_optimizer(reset_optimizer_state=True)
    names, groups = _optimized_names(strategy), strategy.optimizer.param_groups
    check_keys(saved, ("state", "groups"), "optimizer")
    check_type(saved["groups"], "optimizer groups", list)
    if [_group_names(group) for group in saved["groups"]] != [
        sorted(group) for group in names
    ]:
        raise ValueError(
            "the state's optimizer has other parameters than this strategy's: make "
            "model and optimizer as they were made"
        )
    for group, now in zip(saved["groups"], groups, strict=True):
        _check_options(group, now)
    _check_momenta(saved["state"], dict(strategy.model.named_parameters()))
    flat = [name for group in names for name in group]
    position = {name: index for index, name in enumerate(flat)}
    numbered = [
        {**group, "params": [position[name] for name in group["params"]]}
        for group in saved["groups"]
    ]
    state = {position[name]: each for name, each in saved["state"].items()}
    strategy.optimizer.load_state_dict({"state": state, "param_groups": numbered})


def _check_gradients(saved: Any, parameters: Mapping[str, Tensor]) -> None:
    """Refuse accumulated gradients that are not of the model's parameters."""
    check_keys(saved, ("gradients", "outputs"), "accumulation")
    check_type(saved["gradients"], "accumulated gradients", dict)
    for name, gradient in saved["gradients"].items():
        if name not in parameters:
            raise ValueError(f"an accumulated gradient is of an unknown {name!r}")
        like = parameters[name]
        check_tensor(gradient, f"the gradient of {name}", like.shape, like.dtype)


def _group_names(group: Any) -> list[str]:
    """Names of the parameters in a saved group, sorted."""
    check_type(group, "an optimizer group", dict)
    names = group.get("params")
    check_type(names, "the parameters of an optimizer group", list)
    for each in names:
        check_type(each, "the name of a parameter", str)
    return sorted(names)


def _check_options(saved: dict[Any, Any], now: dict[str, Any]) -> None:
    """Refuse options that are neither the optimizer's nor those of schedules."""
    added = saved.keys() - now.keys()
    check_keys(saved, {*now, *(added & _OF_SCHEDULES)}, "an optimizer group")
    for key in saved.keys() - {"params"}:
        check_alike(saved[key], now.get(key, 0.0), f"the optimizer's {key}")


_OF_SCHEDULES = {"initial_lr", "max_lr", "min_lr", "base_momentum", "max_momentum"}
"""What PyTorch's schedules add to the groups of an optimizer."""


def _check_momenta(saved: Any, parameters: dict[str, Tensor]) -> None:
    """Refuse what is no momentum of a parameter.

    Each is of the parameter's shape, with 1 in place of what it is a mean over, or a
    number.
    """
    check_type(saved, "optimizer state", dict)
    for name, values in saved.items():
        if name not in parameters:
            raise ValueError(f"the optimizer's state is of an unknown {name!r}")
        check_type(values, f"the optimizer's state of {name}", dict)
        for key, value in values.items():
            what = f"the optimizer's {key} of {name}"
            check_type(key, what, str)
            check_type(value, what, Tensor, type(None), bool, int, float)
            if isinstance(value, Tensor) and value.dim():
                sizes = zip(parameters[name].shape, value.shape, strict=False)
                shape = [1 if own == 1 else size for size, own in sizes]
                check_tensor(value, what, shape)


def _optimized_names(strategy: Any) -> list[list[str]]:
    """Names of the parameters in each group of the optimizer."""
    names = {id(param): name for name, param in strategy.model.named_parameters()}
    return [
        [names.get(id(param), f"parameter {k}") for k, param in enumerate(each)]
        for each in (group["params"] for group in strategy.optimizer.param_groups)
    ]
