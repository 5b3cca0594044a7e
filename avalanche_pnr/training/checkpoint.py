"""The state of a strategy: all it needs to go on as if nothing had happened."""

import copy
from collections.abc import Iterable
from numbers import Real
from typing import Any

from avalanche.training.plugins import AGEMPlugin, GDumbPlugin, MIRPlugin

from avalanche_pnr.distributed import rank
from avalanche_pnr.plugins.base import SelfSupervisedPlugin
from avalanche_pnr.random_state import random_state, set_random_state
from avalanche_pnr.training.plain import Plain, has_state
from avalanche_pnr.training.stream_samples import StreamSamples

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
    plain = _plain(strategy, samples)
    return {
        "model": strategy.model.state_dict(),
        "past_model": strategy.past_model.state_dict(),
        "optimizer": _optimizer_state(strategy),
        "plugins": [
            [_name(each), _plugin_state(strategy, plain, each)]
            for each in strategy.plugins
        ],
        "parts": {name: part.state_dict() for name, part in _parts(strategy).items()},
        "sub_experience": strategy.sub_experience,
        "stop": getattr(strategy, "_stop_training", False),
        "loss": strategy.loss.detach(),
        "random": random_state(),
    }


def restore_strategy(
    strategy: Any, state: dict[str, Any], samples: StreamSamples | None
) -> None:
    """Give a strategy the state that another of the same kind was in.

    Args:
        strategy: A strategy made with the same arguments.
        state: What :func:`strategy_state` returned; it is not changed.
        samples: Images of the stream.

    Raises:
        ValueError: If it has other plugins or other parameters.
    """
    names = [name for name, _ in state["plugins"]]
    present = [_name(each) for each in strategy.plugins]
    if names != present:
        raise ValueError(
            f"the state is of a strategy with the plugins {', '.join(names)}, and this "
            f"one has {', '.join(present)}: make the strategy as it was made"
        )
    plain = _plain(strategy, samples)
    strategy.model.to(strategy.device)
    for plugin in strategy.plugins:
        if isinstance(plugin, SelfSupervisedPlugin):
            plugin.add_heads(strategy.model, among=state["model"])
    strategy.model.load_state_dict(state["model"])
    strategy.past_model.load_state_dict(state["past_model"], strategy.model)
    _restore_optimizer(strategy, copy.deepcopy(state["optimizer"]))
    for plugin, (_, plugin_state) in zip(
        strategy.plugins, state["plugins"], strict=True
    ):
        _restore_plugin(strategy, plain, plugin, plugin_state)
    for name, part in _parts(strategy).items():
        part.load_state_dict(state["parts"][name])
    strategy.sub_experience = state["sub_experience"]
    strategy._stop_training = state["stop"]
    strategy.loss = state["loss"].to(strategy.device)
    set_random_state(state["random"])


def whole_stream(experience: Any) -> Iterable[Any]:
    """The stream that an experience, or a sub-experience, belongs to."""
    whole = getattr(experience, "origin_experience", None) or experience
    stream: Iterable[Any] = whole.origin_stream
    return stream


def _plain(strategy: Any, samples: StreamSamples | None) -> Plain:
    parts = [strategy, *(getattr(strategy, name) for name in (*_OWN, "_criterion"))]
    return Plain(samples, [*parts, *strategy.plugins], strategy.device)


def _parts(strategy: Any) -> dict[str, Any]:
    """Further parts with a state, scalers of mixed precision for example."""
    return {
        name: part
        for name, part in vars(strategy).items()
        if name not in _OWN and has_state(part)
    }


def _name(plugin: Any) -> str:
    return type(plugin).__name__


def _plugin_state(strategy: Any, plain: Plain, plugin: Any) -> Any:
    if plugin is strategy.evaluator:
        return _evaluator_state(plain, plugin)
    if has_state(plugin):
        return plugin.state_dict()
    for kind, why in _UNSAVED.items():
        if isinstance(plugin, kind):
            raise TypeError(
                f"{_name(plugin)} {why}, so a training with it cannot be saved and "
                "continued: train in one go, or use ReplayPlugin"
            )
    return plain.attributes(plugin, _name(plugin))


def _restore_plugin(strategy: Any, plain: Plain, plugin: Any, state: Any) -> None:
    if plugin is strategy.evaluator:
        _restore_evaluator(plain, plugin, state)
    elif has_state(plugin):
        plugin.load_state_dict(state)
    else:
        plain.set_attributes(plugin, state)


def _evaluator_state(plain: Plain, evaluator: Any) -> dict[str, Any]:
    """Metrics as far as they have got; loggers that offer their state."""
    last, every = evaluator.last_metric_results, evaluator.all_metric_results
    return {
        "metrics": [plain.attributes(each, str(each)) for each in evaluator.metrics],
        "last": {k: v for k, v in last.items() if isinstance(v, Real)},
        "all": {k: v for k, v in every.items() if isinstance(v[1][-1], Real)},
        "loggers": [each.state_dict() for each in _loggers(evaluator)],
    }


def _restore_evaluator(plain: Plain, evaluator: Any, state: dict[str, Any]) -> None:
    for metric, metric_state in zip(evaluator.metrics, state["metrics"], strict=True):
        plain.set_attributes(metric, metric_state)
    evaluator.last_metric_results = dict(state["last"])
    evaluator.all_metric_results.clear()
    evaluator.all_metric_results.update(copy.deepcopy(state["all"]))
    if rank() > 0:  # only the first of several processes logs
        return
    for logger, logger_state in zip(_loggers(evaluator), state["loggers"], strict=True):
        logger.load_state_dict(logger_state)


def _loggers(evaluator: Any) -> list[Any]:
    return [each for each in evaluator.loggers if has_state(each)]


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


def _restore_optimizer(strategy: Any, saved: dict[str, Any]) -> None:
    strategy.make_optimizer(reset_optimizer_state=True)
    names = _optimized_names(strategy)
    if [sorted(group["params"]) for group in saved["groups"]] != [
        sorted(group) for group in names
    ]:
        raise ValueError(
            "the state's optimizer has other parameters than this strategy's: make "
            "model and optimizer as they were made"
        )
    flat = [name for group in names for name in group]
    position = {name: index for index, name in enumerate(flat)}
    groups = [
        {**group, "params": [position[name] for name in group_names]}
        for group, group_names in zip(saved["groups"], names, strict=True)
    ]
    state = {position[name]: each for name, each in saved["state"].items()}
    strategy.optimizer.load_state_dict({"state": state, "param_groups": groups})


def _optimized_names(strategy: Any) -> list[list[str]]:
    """Names of the parameters in each group of the optimizer."""
    names = {id(param): name for name, param in strategy.model.named_parameters()}
    return [
        [names.get(id(param), f"parameter {k}") for k, param in enumerate(each)]
        for each in (group["params"] for group in strategy.optimizer.param_groups)
    ]
