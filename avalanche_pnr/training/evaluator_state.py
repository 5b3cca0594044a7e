"""The state of an evaluator: that of its metrics and loggers."""

import copy
from numbers import Real
from typing import Any

import numpy as np

from avalanche_pnr.distributed.collectives import rank
from avalanche_pnr.runs.state_checks import check_count, check_keys, check_type
from avalanche_pnr.training.kinds import Place
from avalanche_pnr.training.state_contents import (
    class_name,
    decode,
    encode,
    has_state,
    named_states,
)


def evaluator_state(evaluator: Any, place: Place) -> dict[str, Any]:
    """Take the state of metrics, and of loggers that offer theirs.

    Args:
        evaluator: The evaluation plugin.
        place: Place of the plugin in the strategy.

    Raises:
        TypeError: If a metric holds what cannot be saved; the message names it.
    """
    last, every = evaluator.last_metric_results, evaluator.all_metric_results
    return {
        "metrics": [
            encode(each, place.within(str(each))) for each in evaluator.metrics
        ],
        "last": {k: _number(v) for k, v in last.items() if isinstance(v, Real)},
        "all": {
            name: (list(steps), [_number(each) for each in values])
            for name, (steps, values) in every.items()
            if isinstance(values[-1], Real)
        },
        "loggers": [
            [class_name(each), encode(each, place.within(class_name(each)))]
            for each in _loggers(evaluator)
        ],
    }


def restore_evaluator(evaluator: Any, saved: Any, place: Place) -> None:
    """Restore a state that :func:`evaluator_state` took.

    Args:
        evaluator: The evaluation plugin.
        saved: The state.
        place: Place of the plugin in the strategy.

    Raises:
        ValueError: If it is that of other metrics or loggers.
    """
    check_keys(saved, ("metrics", "last", "all", "loggers"), "evaluator")
    check_type(saved["metrics"], "metrics", list)
    if len(saved["metrics"]) != len(evaluator.metrics):
        raise ValueError(
            f"the state has {len(saved['metrics'])} metrics, and this evaluator "
            f"{len(evaluator.metrics)}: make the strategy as it was made"
        )
    for metric, metric_state in zip(evaluator.metrics, saved["metrics"], strict=True):
        decode(metric_state, metric, place.within(str(metric)))
    _check_results(saved["last"], saved["all"])
    evaluator.last_metric_results = dict(saved["last"])
    evaluator.all_metric_results.clear()
    evaluator.all_metric_results.update(copy.deepcopy(saved["all"]))
    if rank() > 0:  # only the first of several processes logs
        return
    loggers = named_states(saved["loggers"], _loggers(evaluator), "logger")
    for logger, logger_state in zip(_loggers(evaluator), loggers, strict=True):
        decode(logger_state, logger, place.within(class_name(logger)))


def _check_results(last: Any, every: Any) -> None:
    """Check the values of metrics by name: the last ones, and all with their steps."""
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


def _number(value: Any) -> Any:
    """Convert a number to plain data, which numpy's numbers are not."""
    return value.item() if isinstance(value, np.generic) else value


def _loggers(evaluator: Any) -> list[Any]:
    return [each for each in evaluator.loggers if has_state(each)]
